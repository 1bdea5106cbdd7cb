"""Objects that come in one piece: small ones, and those of which no part can be kept."""

from __future__ import annotations

import hashlib
from pathlib import Path

from pipeline.disk.files import CHUNK_BYTES
from pipeline.errors import IntegrityError
from pipeline.storage import BulkStorage, Entry, Storage
from pipeline.transfer.partial import wrong_digest
from pipeline.transfer.receipt import Receipt
from pipeline.transfer.retry import Progress
from pipeline.transfer.workers import Workers


class Whole:
    """An object on its way to a file; every attempt begins at its first byte."""

    def __init__(
        self,
        storage: Storage,
        entry: Entry,
        path: Path,
        *,
        bulk: BulkStorage | None,
        workers: Workers,
    ) -> None:
        """Takes where it comes from and where it goes; `bulk` is the storage that copies it."""
        self.progress = Progress()
        self._storage = storage
        self._bulk = bulk
        self._entry = entry
        self._path = path
        self._workers = workers
        self._size_bytes = 0

    def fetch(self, *, sha256: str | None = None) -> Receipt:
        """The object lies in the file, of the size and digest expected.

        Raises:
            StorageError: it broke off.
            IntegrityError: the bytes are not those announced or declared.
        """
        if self._size_bytes:
            self._count(-self._size_bytes)
        found = self._stream() if self._bulk is None else self._copy(self._bulk)
        self._verify(found, sha256)
        mtime_ns = self._path.stat().st_mtime_ns
        return Receipt(self._entry.key, self._size_bytes, found, self._entry.etag, mtime_ns)

    def _stream(self) -> str:
        digest = hashlib.sha256()
        with self._path.open("wb") as file:
            for chunk in self._storage.get(self._entry.key, etag=self._entry.etag):
                # Whoever was stopped must not write into a file that others may go on with.
                self._workers.check()
                file.write(chunk)
                digest.update(chunk)
                self._count(len(chunk))
        return digest.hexdigest()

    def _copy(self, storage: BulkStorage) -> str:
        self._path.unlink(missing_ok=True)
        storage.fetch_file(self._entry, self._path, on_bytes=self._count)
        digest = hashlib.sha256()
        with self._path.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                digest.update(chunk)
        return digest.hexdigest()

    def _count(self, moved_bytes: int) -> None:
        self._size_bytes += moved_bytes
        self.progress.moved_bytes += max(0, moved_bytes)
        self._workers.count(moved_bytes)

    def _verify(self, found: str, sha256: str | None) -> None:
        where = f"{self._storage.url}/{self._entry.key}"
        announced_bytes = self._entry.size_bytes
        if announced_bytes not in (-1, self._size_bytes):
            self._path.unlink()
            raise IntegrityError(
                f"{where}: {self._size_bytes} bytes came but {announced_bytes} were announced; "
                f"the partial file is gone. Run the command again when nobody writes the object."
            )
        if sha256 not in (None, found):
            self._path.unlink()
            raise wrong_digest(where, found, str(sha256))
