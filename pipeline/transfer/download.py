"""One object becomes one file."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pipeline.errors import ObjectMissingError
from pipeline.files import naming_full_disk, require_space, sync
from pipeline.storage import (
    BulkStorage,
    Entry,
    ObjectChangedError,
    OnBytes,
    RangesRefusedError,
    Storage,
    ignore_bytes,
)
from pipeline.storage.disk import naming_cause
from pipeline.transfer.partial import Partial
from pipeline.transfer.ranges import Range, recorded_bytes
from pipeline.transfer.receipt import Receipt
from pipeline.transfer.retry import Limits, Progress, retry
from pipeline.transfer.shares import Shares
from pipeline.transfer.whole import Whole
from pipeline.transfer.workers import Workers

# Ranges of this size keep a connection at its full speed for a while; of a very big object
# they are larger, so that its record stays small.
PART_BYTES = 32 << 20
_MOST_PARTS = 4096

log = logging.getLogger(__name__)

T = TypeVar("T")

Sleep = Callable[[float], object]


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
    part_path, record_path = _beside(path)
    workers = Workers(parallel=limits.parallel, on_bytes=on_bytes)
    fetching = Fetching(
        storage=storage,
        key=key,
        path=path,
        part_path=part_path,
        record_path=record_path,
        limits=limits,
        workers=workers,
        sha256=sha256.lower() if sha256 else None,
        sleep=sleep or workers.sleep,
    )
    with naming_cause(path), naming_full_disk(path):
        return workers.run(Fetching.run, [fetching])[0]


def arrived_file_bytes(path: Path) -> int:
    """How many bytes of an unfinished download of this file are there, by its record."""
    part_path, record_path = _beside(path)
    return recorded_bytes(record_path, part_path)


def _beside(path: Path) -> tuple[Path, Path]:
    """Where a file grows, and where what has arrived is on record."""
    return path.with_name(f"{path.name}.part"), path.with_name(f"{path.name}.part.ranges")


@dataclass
class Fetching:
    """One object on its way; `entry`, where the caller knows it, spares the first question."""

    storage: Storage
    key: str
    path: Path
    part_path: Path
    record_path: Path
    limits: Limits
    workers: Workers
    sleep: Sleep
    sha256: str | None = None
    entry: Entry | None = None
    is_synced: bool = True
    is_recorded: bool = True

    def run(self) -> Receipt:
        """Fetches what is still missing; begins anew as often as the object changes meanwhile."""
        entry = self.entry or self._look()
        has_ranges, left = True, self.limits.retries
        while True:
            try:
                return self._fetch(entry, has_ranges=has_ranges)
            except RangesRefusedError:
                if not has_ranges:
                    raise
                has_ranges = False
            except ObjectChangedError as error:
                if left == 0:
                    raise
                log.warning("%s", error)
                left -= 1
                entry = self._look()

    def _look(self) -> Entry:
        entry = self._retried(lambda: self.storage.head(self.key), Progress())
        if entry is None:
            where = f"{self.storage.url}/{self.key}"
            raise ObjectMissingError(f"{where}: there is no such object; check the URL.")
        return entry

    def _fetch(self, entry: Entry, *, has_ranges: bool) -> Receipt:
        is_told_apart = bool(entry.etag or self.sha256) and entry.size_bytes >= 0
        is_whole = isinstance(self.storage, BulkStorage) or not self.is_recorded
        if is_whole or not is_told_apart:
            return self._fetch_whole(entry)
        return self._fetch_ranges(entry, has_ranges=has_ranges)

    def _fetch_whole(self, entry: Entry) -> Receipt:
        """What is not recorded needs no other name meanwhile: nobody takes it for whole."""
        path = self.part_path if self.is_recorded else self.path
        if self.is_recorded:
            require_space(path, entry.size_bytes)
            self.record_path.unlink(missing_ok=True)
        whole = Whole(self.storage, entry, path, on_bytes=self.workers.count)
        whole.progress.others = lambda: self.workers.finished
        receipt = self._retried(lambda: whole.fetch(sha256=self.sha256), whole.progress)
        if self.is_synced:
            sync(path)
        if self.is_recorded:
            path.replace(self.path)
        return receipt

    def _fetch_ranges(self, entry: Entry, *, has_ranges: bool) -> Receipt:
        partial = Partial(self.part_path, self.record_path, on_bytes=self.workers.count)
        missing = partial.begin(entry, part_bytes=_part_bytes(entry, has_ranges=has_ranges))

        def fetch(one: Range) -> None:
            progress = Progress(others=lambda: self.workers.finished)

            def attempt() -> None:
                partial.receive(self.storage, entry, one, progress=progress, check=shares.check)

            self._retried(attempt, progress)

        shares = Shares(missing, fetch)
        try:
            shares.fetch_all(self.workers)
        except (ObjectChangedError, RangesRefusedError):
            partial.discard()
            raise
        where = f"{self.storage.url}/{self.key}"
        found = partial.verify(sha256=self.sha256, where=where)
        return partial.finish(entry, self.path, sha256=found, is_synced=self.is_synced)

    def _retried(self, action: Callable[[], T], progress: Progress) -> T:
        return retry(action, limits=self.limits, progress=progress, sleep=self.sleep)


def _part_bytes(entry: Entry, *, has_ranges: bool) -> int:
    """How long a range is; one range is the whole of what is small or cannot be divided."""
    if not has_ranges or entry.size_bytes < 2 * PART_BYTES:
        return max(entry.size_bytes, 1)
    return max(PART_BYTES, math.ceil(entry.size_bytes / _MOST_PARTS))
