"""One object becomes one file."""

from __future__ import annotations

from pathlib import Path

from pipeline.disk.files import naming_full_disk
from pipeline.storage import BulkStorage, OnBytes, Storage, ignore_bytes
from pipeline.storage.disk import naming_cause
from pipeline.transfer.fetching import Fetching, Sleep
from pipeline.transfer.ranges import recorded_bytes
from pipeline.transfer.receipt import Receipt
from pipeline.transfer.retry import Limits
from pipeline.transfer.workers import Workers


def download(
    storage: Storage,
    key: str,
    path: Path,
    *,
    limits: Limits,
    sha256: str | None = None,
    on_bytes: OnBytes = ignore_bytes,
    sleep: Sleep | None = None,
) -> Receipt:
    """The object lies at `path`, whole and verified; `path` keeps what it held until then.

    A big object comes in ranges, several at a time, where the storage can send them.
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
    workers = Workers(parallel=limits.parallel, on_bytes=on_bytes)
    fetching = Fetching(
        storage=storage,
        key=key,
        path=path,
        limits=limits,
        workers=workers,
        bulk=storage if isinstance(storage, BulkStorage) else None,
        sleep=sleep or workers.sleep,
        part_path=_part_path(path),
        sha256=sha256.lower() if sha256 else None,
    )
    with naming_cause(path), naming_full_disk(path):
        return workers.run(Fetching.run, [fetching])[0]


def arrived_file_bytes(path: Path, *, source: str | None = None) -> int:
    """How many bytes of an unfinished download of this file are there, by its record."""
    return recorded_bytes(_part_path(path), source=source)


def _part_path(path: Path) -> Path:
    """Where the file grows."""
    return path.with_name(f"{path.name}.part")
