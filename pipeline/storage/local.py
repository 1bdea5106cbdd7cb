"""The local disk, and whatever is mounted there."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

from pipeline.disk.files import CHUNK_BYTES, naming_full_disk, replacing, sha256_of
from pipeline.disk.folders import inside
from pipeline.errors import IntegrityError
from pipeline.storage.disk import naming_cause
from pipeline.storage.protocol import Entry, ObjectChangedError, OnBytes, ignore_bytes
from pipeline.storage.urls import normalise

# What files.replacing calls a file that is being written.
_BEING_WRITTEN = re.compile(r"\..+\.tmp[a-z0-9_]{8}")


class LocalStorage:
    """A folder; it need not exist before the first put."""

    def __init__(self, url: str) -> None:
        """Takes a plain path or a file:// URL."""
        self._root = Path(normalise(url)).absolute()
        self.url = str(self._root)
        self._start = self.url.rstrip("/") + "/"

    def head(self, key: str) -> Entry | None:
        """What lies under the key, or None; folders are no objects."""
        path = self._path(key)
        return _entry(key, path.stat()) if path.is_file() else None

    def list(self, prefix: str = "") -> Iterator[Entry]:
        """Every file whose key starts with this text, in order of names; links are followed."""
        folder = prefix.rpartition("/")[0]
        start = self._path(folder) if folder else self._root
        if start.is_dir():
            for entry in _walk(str(start), f"{folder}/" if folder else "", ancestors=()):
                if entry.key.startswith(prefix):
                    yield entry

    def get(
        self, key: str, *, start_byte: int = 0, end_byte: int | None = None, etag: str = ""
    ) -> Iterator[bytes]:
        """The file's bytes from `start_byte` on, to before `end_byte`."""
        path = self._path(key)
        with naming_cause(path), path.open("rb", buffering=0) as file:
            found = _entry(key, os.fstat(file.fileno()))
            if etag and found.etag != etag:
                raise ObjectChangedError(f"{path} has changed since it was begun; start over.")
            if start_byte:
                file.seek(start_byte)
            left_bytes = (found.size_bytes if end_byte is None else end_byte) - start_byte
            while left_bytes > 0 and (chunk := file.read(min(CHUNK_BYTES, left_bytes))):
                left_bytes -= len(chunk)
                yield chunk
            if _entry(key, os.fstat(file.fileno())).etag != found.etag:
                raise ObjectChangedError(f"{path} was changed while it was read; start over.")

    def put(self, key: str, path: Path, *, on_bytes: OnBytes = ignore_bytes) -> Entry:
        """The key holds the file as it was when this began, read back and compared."""
        target = self._path(key)
        with naming_cause(path), naming_full_disk(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            with replacing(target) as temporary_path:
                sha256 = _copy(path, temporary_path, on_bytes)
                if sha256_of(temporary_path) != sha256:
                    raise IntegrityError(
                        f"{target}: what was read back differs from {path}; "
                        f"look at the disk or the mount, then run the command again."
                    )
            return _entry(key, target.stat())

    def delete(self, key: str) -> None:
        """Nothing lies under the key."""
        path = self._path(key)
        with naming_cause(path):
            path.unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return Path(f"{self._start}{inside(key, origin=self.url)}")


def _entry(key: str, status: os.stat_result) -> Entry:
    etag = f"{status.st_mtime_ns:x}-{status.st_ino:x}-{status.st_size:x}"
    return Entry(key, status.st_size, etag, status.st_mtime)


def _copy(source: Path, target: Path, on_bytes: OnBytes) -> str:
    """The target holds the source's bytes as of now; returns their SHA-256."""
    digest = hashlib.sha256()
    with source.open("rb") as reading, target.open("wb") as writing:
        left_bytes = os.fstat(reading.fileno()).st_size
        while chunk := reading.read(min(CHUNK_BYTES, left_bytes)):
            writing.write(chunk)
            digest.update(chunk)
            left_bytes -= len(chunk)
            on_bytes(len(chunk))
    return digest.hexdigest()


def _walk(folder: str, prefix: str, *, ancestors: tuple[str, ...]) -> Iterator[Entry]:
    """Every file below, as its key with this prefix; links followed, but never in a circle."""
    identity = os.path.realpath(folder)
    if identity in ancestors:
        return
    with naming_cause(Path(folder)), os.scandir(folder) as found:
        children = sorted(found, key=lambda child: child.name)
    for child in children:
        if child.is_dir():
            below = f"{prefix}{child.name}/"
            yield from _walk(child.path, below, ancestors=(*ancestors, identity))
        elif child.is_file() and not _BEING_WRITTEN.fullmatch(child.name):
            yield _entry(f"{prefix}{child.name}", child.stat())
