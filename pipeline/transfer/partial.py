"""The part of an object that has arrived, and what is needed to go on from there."""

from __future__ import annotations

import hashlib
import json
import logging
from pathlib import Path

from pipeline.errors import IntegrityError, StorageError
from pipeline.files import CHUNK_BYTES, naming_full_disk, sync, write_json
from pipeline.storage import BulkStorage, Entry, OnBytes, Storage
from pipeline.transfer.receipt import Receipt
from pipeline.transfer.retry import Progress

log = logging.getLogger(__name__)


class Partial:
    """A file that grows, and a record of the version that it is a part of (`<part>.json`).

    Its first `size_bytes` bytes are on the disk and in the digest; each goes to `on_bytes`.
    """

    def __init__(
        self, path: Path, part_path: Path, *, on_bytes: OnBytes, is_recorded: bool
    ) -> None:
        """Without `is_recorded` a later process starts over, and small files cost no record."""
        self.size_bytes = 0
        self.progress = Progress()
        self._path = path
        self._part_path = part_path
        self._record_path = part_path.with_name(f"{part_path.name}.json")
        self._on_bytes = on_bytes
        self._is_recorded = is_recorded
        self._digest = hashlib.sha256()
        self._version: dict[str, object] = {}
        self._is_inherited = False

    def begin(self, entry: Entry, *, sha256: str | None) -> None:
        """Keeps what belongs to this version of the object, and nothing else."""
        version: dict[str, object] = {"etag": entry.etag, "size_bytes": entry.size_bytes}
        is_told_apart = bool(entry.etag or sha256) and entry.size_bytes >= 0
        if not self._version and self._is_recorded and is_told_apart:
            self._inherit(version)
        if version != self._version or not is_told_apart or self.size_bytes > entry.size_bytes:
            self.discard()
        if version != self._version and self._is_recorded:
            write_json(self._record_path, version)
        self._version = version

    def _inherit(self, version: dict[str, object]) -> None:
        """Takes over what an earlier process left of this version."""
        try:
            recorded = json.loads(self._record_path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return
        if recorded != version or not self._part_path.is_file():
            return
        with self._part_path.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                self._take(chunk)
        self._version = version
        self._is_inherited = self.size_bytes > 0

    def receive(self, storage: Storage, entry: Entry) -> None:
        """Has all that the storage sends from here on."""
        if isinstance(storage, BulkStorage):
            self._receive_whole(storage, entry)
            return
        if self.size_bytes:
            log.info(
                "resuming at byte %d of %d: %s", self.size_bytes, entry.size_bytes, self._path.name
            )
        with naming_full_disk(self._path), self._part_path.open("ab") as file:
            if self.size_bytes == entry.size_bytes:
                return
            for chunk in storage.get(entry.key, start_byte=self.size_bytes, etag=entry.etag):
                file.write(chunk)
                file.flush()
                self._take(chunk)
                self.progress.moved_bytes += len(chunk)
                self.progress.safe_bytes = self.size_bytes

    def _receive_whole(self, storage: BulkStorage, entry: Entry) -> None:
        """Has the object as the storage copies it, which cannot go on from a part."""
        self.discard()

        def count(moved_bytes: int) -> None:
            self.size_bytes += moved_bytes
            self.progress.moved_bytes += max(0, moved_bytes)
            self._on_bytes(moved_bytes)

        with naming_full_disk(self._path):
            storage.fetch_file(entry, self._part_path, on_bytes=count)
        with self._part_path.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                self._digest.update(chunk)

    def _take(self, chunk: bytes) -> None:
        self._digest.update(chunk)
        self.size_bytes += len(chunk)
        self._on_bytes(len(chunk))

    def verify(self, entry: Entry, *, sha256: str | None, where: str) -> None:
        """Size and digest are those expected; else nothing of it is left."""
        found = self._digest.hexdigest()
        is_size_right = entry.size_bytes in (-1, self.size_bytes)
        if is_size_right and sha256 in (None, found):
            return
        was_inherited, size_bytes = self._is_inherited, self.size_bytes
        self.discard()
        if was_inherited:
            # The earlier part may have been damaged by a power cut; that is no one's mistake.
            raise StorageError(
                f"{where}: what an earlier attempt had left was damaged; it is gone."
            )
        if not is_size_right:
            raise IntegrityError(
                f"{where}: {size_bytes} bytes came but {entry.size_bytes} were announced; "
                f"the partial file is gone. Run the command again when nobody writes the object."
            )
        raise IntegrityError(
            f"{where}: sha256 {found[:12]}… but {str(sha256)[:12]}… was declared; "
            f"the partial file is gone. If the publisher changed it, update the declared sha256."
        )

    def finish(self, entry: Entry, *, is_synced: bool) -> Receipt:
        """The whole lies under its final name, on the disk if `is_synced`."""
        with naming_full_disk(self._path):
            if is_synced:
                sync(self._part_path)
            self._part_path.replace(self._path)
        self._record_path.unlink(missing_ok=True)
        return Receipt(
            key=entry.key,
            size_bytes=self.size_bytes,
            sha256=self._digest.hexdigest(),
            etag=entry.etag,
            mtime_ns=self._path.stat().st_mtime_ns,
        )

    def discard(self) -> None:
        """Nothing has arrived; what had is taken back from `on_bytes` too."""
        self._part_path.unlink(missing_ok=True)
        self._record_path.unlink(missing_ok=True)
        if self.size_bytes:
            self._on_bytes(-self.size_bytes)
        self.size_bytes = 0
        self._digest = hashlib.sha256()
        self._version = {}
        self._is_inherited = False
