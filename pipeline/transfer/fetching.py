"""One object on its way to one file, in ranges or whole, begun anew when it changes meanwhile."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from pipeline.disk.files import require_space, sync
from pipeline.errors import ObjectMissingError
from pipeline.storage import (
    BulkStorage,
    BusyError,
    Entry,
    ObjectChangedError,
    RangesRefusedError,
    Storage,
)
from pipeline.transfer.partial import Partial
from pipeline.transfer.ranges import Range, record_path_of, source_of
from pipeline.transfer.receipt import Receipt
from pipeline.transfer.retry import Limits, Progress, retry, wait_s
from pipeline.transfer.shares import Shares
from pipeline.transfer.whole import Whole
from pipeline.transfer.workers import Workers

# Ranges of this size keep a connection at its full speed for a while; of a very big object
# they are larger, so that its record stays small.
PART_BYTES = 64 << 20
_MOST_PARTS = 4096

log = logging.getLogger(__name__)

T = TypeVar("T")

Sleep = Callable[[float], object]


@dataclass
class Fetching:
    """One object on its way; `entry`, where the caller knows it, spares the first question.

    Without `part_path` nothing is kept of an attempt that fails, nor under another name:
    nobody takes the file for whole before its receipt is there. `bulk` is the storage too,
    if it is one that copies objects whole.
    """

    storage: Storage
    key: str
    path: Path
    limits: Limits
    workers: Workers
    bulk: BulkStorage | None
    sleep: Sleep
    part_path: Path | None = None
    sha256: str | None = None
    entry: Entry | None = None
    is_synced: bool = True
    _told: list[str] = field(default_factory=list)

    def run(self) -> Receipt:
        """Fetches what is still missing; begins anew as often as the object changes meanwhile."""
        entry = self.entry or self._look()
        has_ranges, times = True, 0
        while True:
            try:
                return self._fetch(entry, has_ranges=has_ranges)
            except RangesRefusedError:
                if not has_ranges:
                    raise
                has_ranges = False
            except ObjectChangedError as error:
                times += 1
                if times > self.limits.retries:
                    raise
                log.warning("%s", error)
                self.sleep(wait_s(times))
                entry = self._look()
                if times == self.limits.retries > 1:
                    entry = self._of_any_version(entry)

    def _of_any_version(self, entry: Entry) -> Entry:
        """The object as whoever answers next has it, which makes a whole if it is one answer."""
        log.warning(
            "%s: changes again and again; several servers may answer, each with its own version. "
            "Fetching it in one answer, whatever its version.",
            self._where,
        )
        return entry._replace(etag="")

    def _look(self) -> Entry:
        entry = self._retried(lambda: self.storage.head(self.key), Progress(told=self._told))
        if entry is None:
            raise ObjectMissingError(f"{self._where}: there is no such object; check the URL.")
        return entry

    def _fetch(self, entry: Entry, *, has_ranges: bool) -> Receipt:
        is_told_apart = bool(entry.etag or self.sha256) and entry.size_bytes >= 0
        if entry.size_bytes < 0:
            log.info("%s: its size is not announced; an end too early cannot be told", self._where)
        if self.part_path is None:
            return self._fetch_whole(entry, self.path)
        if self.bulk is None and is_told_apart:
            return self._fetch_ranges(entry, self.part_path, has_ranges=has_ranges)
        require_space(self.part_path, entry.size_bytes)
        record_path_of(self.part_path).unlink(missing_ok=True)
        try:
            receipt = self._fetch_whole(entry, self.part_path)
            self.part_path.replace(self.path)
        finally:
            # Nobody could go on from what is left of a failure.
            self.part_path.unlink(missing_ok=True)
        return receipt

    def _fetch_whole(self, entry: Entry, path: Path) -> Receipt:
        whole = Whole(self.storage, entry, path, bulk=self.bulk, workers=self.workers)
        whole.progress.others, whole.progress.told = self._others, self._told
        receipt = self._retried(lambda: whole.fetch(sha256=self.sha256), whole.progress)
        if self.is_synced:
            sync(path)
        return receipt

    def _fetch_ranges(self, entry: Entry, part_path: Path, *, has_ranges: bool) -> Receipt:
        partial = Partial(part_path, record_path_of(part_path), on_bytes=self.workers.count)
        missing = partial.begin(
            entry,
            source=source_of(self._where),
            part_bytes=_part_bytes(entry, has_ranges=has_ranges),
        )

        def fetch(one: Range) -> None:
            progress = Progress(others=self._others, told=self._told)

            def attempt() -> None:
                try:
                    partial.receive(self.storage, entry, one, progress=progress, check=shares.check)
                except BusyError:
                    shares.give_back(one)
                    raise

            retry(
                attempt,
                limits=self.limits,
                progress=progress,
                sleep=lambda seconds: shares.sleep(seconds, self.sleep),
            )

        shares = Shares(missing, fetch, self.workers)
        try:
            shares.fetch_all()
        except (ObjectChangedError, RangesRefusedError):
            partial.discard()
            raise
        found = partial.verify(sha256=self.sha256, where=self._where)
        return partial.finish(entry, self.path, sha256=found, is_synced=self.is_synced)

    @property
    def _where(self) -> str:
        return f"{self.storage.url}/{self.key}"

    def _others(self) -> int:
        return self.workers.finished

    def _retried(self, action: Callable[[], T], progress: Progress) -> T:
        return retry(action, limits=self.limits, progress=progress, sleep=self.sleep)


def _part_bytes(entry: Entry, *, has_ranges: bool) -> int:
    """How long a range is; one range is the whole of what is small or cannot be divided."""
    if not has_ranges or entry.size_bytes < 2 * PART_BYTES:
        return max(entry.size_bytes, 1)
    return max(PART_BYTES, math.ceil(entry.size_bytes / _MOST_PARTS))
