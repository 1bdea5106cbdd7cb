"""The parts of an object that have arrived, and what is needed to go on from there."""

from __future__ import annotations

import logging
import os
import zlib
from collections.abc import Callable
from pathlib import Path

from pipeline.disk.files import naming_full_disk, require_space, sync, write_all
from pipeline.errors import IntegrityError, StorageError
from pipeline.storage import Entry, ObjectChangedError, OnBytes, Storage
from pipeline.transfer.digest import Front
from pipeline.transfer.ranges import Range, Record, Version, divided
from pipeline.transfer.receipt import Receipt
from pipeline.transfer.retry import Progress

log = logging.getLogger(__name__)


class Partial:
    """A file that grows in ranges, beside a record of its version and of what has arrived.

    Several threads may receive at once, each a range of its own. `on_bytes` gets every
    byte that is there, also those of an earlier process.
    """

    def __init__(self, part_path: Path, record_path: Path, *, on_bytes: OnBytes) -> None:
        """Takes where it grows; nothing is touched yet."""
        self._part_path = part_path
        self._record = Record(record_path)
        self._on_bytes = on_bytes
        self._ranges: list[Range] = []
        self._front = Front(part_path, [])
        self._is_inherited = False

    @property
    def size_bytes(self) -> int:
        """How much of it is there."""
        return sum(found.done_bytes for found in self._ranges)

    def begin(self, entry: Entry, *, source: str, part_bytes: int) -> list[Range]:
        """The ranges that are missing; what belongs to this version of the object is kept.

        `source` tells the object's place: two objects may have one size and one etag.

        Raises:
            DiskFullError: there is no room for the rest.
        """
        version = {
            "source": source,
            "etag": entry.etag,
            "size_bytes": entry.size_bytes,
            "part_bytes": part_bytes,
        }
        self._ranges = self._inherited(version, is_divided=part_bytes < entry.size_bytes)
        self._is_inherited = self.size_bytes > 0
        if self._is_inherited and len(self._ranges) > 1:
            self._tell_resuming(entry)
        require_space(self._part_path, entry.size_bytes - self.size_bytes)
        if not self._is_inherited:
            with naming_full_disk(self._part_path):
                self._part_path.write_bytes(b"")
                self._record.begin(version)
            self._ranges = divided(entry.size_bytes, part_bytes)
        self._front = Front(self._part_path, self._ranges)
        self._front.catch_up()
        if self._is_inherited:
            self._on_bytes(self.size_bytes)
        return [found for found in self._ranges if not found.is_done]

    def _inherited(self, version: Version, *, is_divided: bool) -> list[Range]:
        """What an earlier process left of this version, as far as the bytes are still there."""
        recorded, ranges = self._record.read()
        is_same = {**recorded, "part_bytes": version["part_bytes"]} == version
        is_fit = len(ranges) == 1 or is_divided
        if not (is_same and is_fit and self._part_path.is_file()):
            return []
        with self._part_path.open("r+b") as file:
            # What lies behind the last range would stay there for good.
            file.truncate(min(file.seek(0, os.SEEK_END), ranges[-1].end_byte))
            for found in ranges:
                if not found.holds(file):
                    log.warning("%s: damaged at byte %d", self._part_path.name, found.start_byte)
                    found.done_bytes = found.crc = 0
        return ranges

    def receive(
        self,
        storage: Storage,
        entry: Entry,
        missing: Range,
        *,
        progress: Progress,
        check: Callable[[], object],
    ) -> None:
        """The rest of the range is there; `check` may end this before any chunk.

        Raises:
            StorageError: it broke off; what has come stays.
            IntegrityError: more came than there should be.
        """
        stretch = {} if len(self._ranges) == 1 else {"end_byte": missing.end_byte}
        start_byte = missing.reached_byte
        check()
        if start_byte and not stretch:
            self._tell_resuming(entry)
        chunks = storage.get(entry.key, start_byte=start_byte, etag=entry.etag, **stretch)
        with naming_full_disk(self._part_path), self._part_path.open("r+b", 0) as file:
            file.seek(start_byte)
            with self._record.open() as record:
                for chunk in chunks:
                    check()
                    if missing.reached_byte + len(chunk) > missing.end_byte:
                        raise _too_much(storage, entry, missing)
                    write_all(file, chunk)
                    at_byte = missing.reached_byte
                    missing.crc = zlib.crc32(chunk, missing.crc)
                    missing.done_bytes += len(chunk)
                    self._record.note(record, missing)
                    self._front.arrived(at_byte, chunk)
                    progress.moved_bytes += len(chunk)
                    progress.safe_bytes += len(chunk)
                    self._on_bytes(len(chunk))
        if not missing.is_done:
            raise StorageError(
                f"{storage.url}/{entry.key}: the answer ended at byte {missing.reached_byte} of "
                f"{missing.end_byte}. The same command goes on from there."
            )
        self._front.catch_up()

    def _tell_resuming(self, entry: Entry) -> None:
        name = self._part_path.with_suffix("").name
        log.info("resuming at byte %d of %d: %s", self.size_bytes, entry.size_bytes, name)

    def verify(self, *, sha256: str | None, where: str) -> str:
        """The digest is the one expected; else nothing of it is left. Returns it."""
        found = self._front.hexdigest()
        if sha256 in (None, found):
            return found
        was_inherited = self._is_inherited
        self.discard()
        if was_inherited:
            raise ObjectChangedError(
                f"{where}: what an earlier attempt had left was of another version; it is gone."
            )
        raise wrong_digest(where, found, str(sha256))

    def finish(self, entry: Entry, path: Path, *, sha256: str, is_synced: bool) -> Receipt:
        """The whole lies under its final name, on the disk if `is_synced`."""
        found_bytes = self._part_path.stat().st_size
        if found_bytes != entry.size_bytes:
            self.discard()
            raise IntegrityError(
                f"{self._part_path} has {found_bytes} bytes though {entry.size_bytes} came; it is "
                f"gone. Run the command again when no other process writes there."
            )
        with naming_full_disk(path):
            if is_synced:
                sync(self._part_path)
            if path != self._part_path:
                self._part_path.replace(path)
        self._record.remove()
        mtime_ns = path.stat().st_mtime_ns
        return Receipt(entry.key, self.size_bytes, sha256, entry.etag, mtime_ns)

    def discard(self) -> None:
        """Nothing has arrived; what had is taken back from `on_bytes` too."""
        size_bytes, self._ranges = self.size_bytes, []
        self._record.remove()
        self._part_path.unlink(missing_ok=True)
        if size_bytes:
            self._on_bytes(-size_bytes)


def wrong_digest(where: str, found: str, declared: str) -> IntegrityError:
    """The error for bytes that are not those declared."""
    return IntegrityError(
        f"{where}: sha256 {found[:12]}… but {declared[:12]}… was declared; "
        f"the partial file is gone. If the publisher changed it, update the declared sha256."
    )


def _too_much(storage: Storage, entry: Entry, missing: Range) -> IntegrityError:
    return IntegrityError(
        f"{storage.url}/{entry.key}: more than the {missing.end_byte} bytes came that were "
        f"announced. Run the command again when nobody writes the object."
    )
