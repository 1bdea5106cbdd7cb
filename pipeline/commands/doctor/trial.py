"""A small object at the export place: written, read back, deleted."""

from __future__ import annotations

import secrets
import tempfile
from pathlib import Path

from pipeline.errors import IntegrityError, StorageError
from pipeline.storage import Storage
from pipeline.transfer import Limits, retry, upload

# A name that tells anybody who finds one where it is from, and that it may go.
PREFIX = ".mindrun-doctor-"


def write_read_delete(storage: Storage, limits: Limits) -> None:
    """The place takes, lists and gives back an object, and nothing of it is left there.

    Raises:
        StorageError: one of these failed; the message names an object that had to be left.
        IntegrityError: something else came back.
    """
    key = f"{PREFIX}{secrets.token_hex(8)}"
    is_there = False
    try:
        with tempfile.TemporaryDirectory(prefix="mindrun-doctor-") as folder:
            path = Path(folder, key)
            path.write_bytes(key.encode())
            upload(storage, {key: path}, limits=limits)
        is_there = True
        returned = retry(lambda: b"".join(storage.get(key)), limits=limits)
        if returned != key.encode():
            raise IntegrityError(
                f"{storage.url}/{key}: what came back is not what was sent; expected the same "
                f"bytes. Look at the export place."
            )
    finally:
        # Also after a failed sending: it may have arrived, and only the answer was lost.
        _delete(storage, key, limits, is_there=is_there)


def _delete(storage: Storage, key: str, limits: Limits, *, is_there: bool) -> None:
    once = Limits(limits.parallel, 0, limits.stall_s)
    try:
        retry(lambda: storage.delete(key), limits=once)
    except StorageError as error:
        if is_there:
            raise type(error)(
                f"{storage.url}/{key}: could be written but not deleted; an export replaces its "
                f"manifest and has to. Allow deleting, and delete this one by hand ({error})"
            ) from error
