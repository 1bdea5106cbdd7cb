"""One object becomes one file."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import ObjectMissingError
from pipeline.files import naming_full_disk
from pipeline.storage import Entry, OnBytes, Storage, ignore_bytes
from pipeline.storage.disk import naming_cause
from pipeline.transfer.partial import Partial
from pipeline.transfer.receipt import Receipt
from pipeline.transfer.retry import Limits, retry


def download(
    storage: Storage,
    key: str,
    path: Path,
    *,
    limits: Limits,
    sha256: str | None = None,
    on_bytes: OnBytes = ignore_bytes,
    sleep: Callable[[float], object] = time.sleep,
) -> Receipt:
    """The object lies at `path`, whole and verified; `path` keeps what it held until then.

    What an interrupted download left is gone on from, if the object is still the same
    one: it has an etag that tells, or `sha256` (64 hex digits) is given. The sum of
    what `on_bytes` gets is what has arrived, that earlier part included.

    Raises:
        ObjectMissingError: nothing lies under the key.
        StorageError: the last of several attempts failed; what arrived is kept.
        IntegrityError: the bytes are not those declared; nothing is kept.
        DiskFullError: the disk has no space for it.
    """
    with naming_cause(path), naming_full_disk(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    part_path = path.with_name(f"{path.name}.part")
    fetching = Fetching(
        storage=storage,
        key=key,
        partial=Partial(path, part_path, on_bytes=on_bytes, is_recorded=True),
        sha256=sha256.lower() if sha256 else None,
    )
    with naming_cause(path):
        return retry(
            fetching.attempt, limits=limits, progress=fetching.partial.progress, sleep=sleep
        )


@dataclass
class Fetching:
    """One object on its way; `entry`, where the caller knows it, spares the first question."""

    storage: Storage
    key: str
    partial: Partial
    sha256: str | None = None
    entry: Entry | None = None
    is_synced: bool = True

    def attempt(self) -> Receipt:
        """Fetches what is still missing."""
        where = f"{self.storage.url}/{self.key}"
        entry, self.entry = self.entry or self.storage.head(self.key), None
        if entry is None:
            raise ObjectMissingError(f"{where}: there is no such object; check the URL.")
        self.partial.begin(entry, sha256=self.sha256)
        self.partial.receive(self.storage, entry)
        self.partial.verify(entry, sha256=self.sha256, where=where)
        return self.partial.finish(entry, is_synced=self.is_synced)
