"""How moxing's errors, which are of its own kinds, become ours."""

from __future__ import annotations

import errno
import re
from collections.abc import Sequence

from pipeline.errors import AccessDeniedError, ObjectMissingError, StorageError
from pipeline.storage.protocol import RefusedError

_LONGEST_TEXT = 300
_DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_DENIED = re.compile(
    r"AccessDenied|InvalidAccessKeyId|SignatureDoesNotMatch|Forbidden"
    r"|(?i:\b(?:stat|status|code|http)\w*\W{1,4}40[13]\b)"
)


def storage_error(where: str, kinds: Sequence[str], text: str, number: int | None) -> OSError:
    """The error for what moxing raised, named by its class and those above it.

    `text` must hold no credential. A full disk keeps its number, by which it is known.
    """
    if number in _DISK_FULL:
        return OSError(number, text, where)
    cause = " ".join(f"{kinds[0]}: {text}".split())[:_LONGEST_TEXT]
    if _DENIED.search(text):
        return AccessDeniedError(
            f"{where}: access denied ({cause}). Check that this platform job may use the bucket."
        )
    if "MoxFileNotExistsException" in kinds:
        return ObjectMissingError(f"{where}: there is no such object ({cause}). Check the URL.")
    if "MoxFileNameDuplicateException" in kinds:
        return RefusedError(
            f"{where}: an object and a folder share this name ({cause}). Remove one of them."
        )
    return StorageError(f"{where}: moxing failed ({cause}). Check the URL and the network.")
