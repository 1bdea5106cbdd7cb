"""Many objects in one go, from a storage that can; what did not come is for others to fetch."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from pipeline.storage import BulkStorage, Entry
from pipeline.transfer.receipt import Receipt
from pipeline.transfer.retry import Limits, Progress, retry
from pipeline.transfer.workers import Workers

log = logging.getLogger(__name__)

# What an interruption loses at most, and what keeps many threads busy.
BATCH_FILES = 1000
BATCH_BYTES = 4 << 30
_FEWEST_FILES = 16


def batches(entries: Sequence[Entry]) -> Iterator[list[Entry]]:
    """The entries in their order, some at a time."""
    batch: list[Entry] = []
    size_bytes = 0
    for entry in entries:
        batch.append(entry)
        size_bytes += entry.size_bytes
        is_big = size_bytes >= BATCH_BYTES and len(batch) >= _FEWEST_FILES
        if is_big or len(batch) == BATCH_FILES:
            yield batch
            batch, size_bytes = [], 0
    if batch:
        yield batch


def copy_batch(
    storage: BulkStorage,
    prefix: str,
    batch: Sequence[Entry],
    folder: Path,
    *,
    limits: Limits,
    workers: Workers,
) -> list[tuple[Entry, Path]]:
    """The objects that came whole, by their size, with where below `folder` they lie.

    Nothing is trusted that an attempt left which did not come to its end: a file may have
    its size before it has its content.

    Raises:
        StorageError: the last of several attempts failed.
    """
    progress = Progress()
    counted_bytes = 0

    def count(moved_bytes: int) -> None:
        nonlocal counted_bytes
        counted_bytes += moved_bytes
        progress.moved_bytes += max(0, moved_bytes)
        workers.count(moved_bytes)

    def attempt() -> None:
        count(-counted_bytes)
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir()
        storage.fetch_files(prefix, batch, folder, on_bytes=count)

    retry(attempt, limits=limits, progress=progress, sleep=workers.sleep)
    paths = [(entry, folder / entry.key[len(prefix) :]) for entry in batch]
    come = [
        (e, path) for e, path in paths if path.is_file() and path.stat().st_size == e.size_bytes
    ]
    count(sum(entry.size_bytes for entry, _ in come) - counted_bytes)
    if len(come) < len(batch):
        missing = len(batch) - len(come)
        log.warning("%d of %d files did not come whole; fetching them again", missing, len(batch))
    return come


def adopt(entry: Entry, path: Path, target: Path) -> Receipt:
    """The file lies at its own place; its bytes did not pass through us."""
    target.parent.mkdir(parents=True, exist_ok=True)
    path.replace(target)
    mtime_ns = target.stat().st_mtime_ns
    return Receipt(entry.key, entry.size_bytes, sha256=None, etag=entry.etag, mtime_ns=mtime_ns)
