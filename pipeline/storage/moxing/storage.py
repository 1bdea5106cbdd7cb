"""Buckets through moxing: copied whole, then looked at."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pipeline.disk.files import CHUNK_BYTES, naming_full_disk
from pipeline.errors import ConfigError, Mistake, ObjectMissingError, StorageError
from pipeline.storage.disk import naming_cause
from pipeline.storage.moxing.helper import helpers
from pipeline.storage.moxing.movement import SLOWEST_BYTES_PER_S, SLOWEST_FILES_PER_S
from pipeline.storage.protocol import (
    Entry,
    ObjectChangedError,
    OnBytes,
    RangesRefusedError,
    RefusedError,
    ignore_bytes,
)
from pipeline.storage.urls import masked, normalise

_THREADS = 16


class MoxingStorage:
    """A bucket, or a folder in one, on a platform; the keys are those below it.

    Nothing of an object can be fetched again alone: what breaks starts over. Several
    threads may use one storage, each with a helper process.
    """

    def __init__(self, url: str, *, stall_s: float) -> None:
        """Takes a URL with the scheme obs.

        Raises:
            ConfigError: the URL names no bucket.
        """
        self.url = masked(normalise(url)).rstrip("/")
        bucket = self.url[len("obs://") :].partition("/")[0]
        if not bucket or "@" in normalise(url)[len("obs://") :].partition("/")[0]:
            raise ConfigError([Mistake(self.url, "names no bucket", remedy="use obs://bucket/key")])
        self._stall_s = stall_s

    def head(self, key: str) -> Entry | None:
        """What lies under the key, or None; folders are no objects."""
        if not key or key.endswith("/"):
            return None
        found = self._asked("head", self._where(key), where=self._where(key))[0]
        return None if found is None or found[2] else _entry(key, found[0], found[1])

    def list(self, prefix: str = "") -> Iterator[Entry]:
        """Every object whose key starts with this text, in order of names.

        moxing tells names only; sizes are asked for one by one, many at once.
        """
        folder = prefix[: prefix.rfind("/") + 1]
        *found, _ = self._asked("list", f"{self.url}/{folder}", where=self._where(prefix))
        for name, size_bytes, mtime_ns in sorted(found):
            if f"{folder}{name}".startswith(prefix):
                yield _entry(f"{folder}{name}", size_bytes, mtime_ns)

    def get(
        self, key: str, *, start_byte: int = 0, end_byte: int | None = None, etag: str = ""
    ) -> Iterator[bytes]:
        """The object's bytes from `start_byte` on, once all have been copied to this disk."""
        if end_byte is not None:
            raise RangesRefusedError(f"{self._where(key)}: moxing only copies whole objects.")
        entry = self.head(key)
        if entry is None:
            raise ObjectMissingError(f"{self._where(key)}: there is no such object; check the URL.")
        if etag and etag != entry.etag:
            raise ObjectChangedError(
                f"{self._where(key)} has changed since it was begun; start over."
            )
        with tempfile.TemporaryDirectory(prefix="mindrun-") as name:
            path = Path(name, "object")
            with naming_full_disk(path):
                self.fetch_file(entry, path)
            with path.open("rb") as file:
                file.seek(start_byte)
                while chunk := file.read(CHUNK_BYTES):
                    yield chunk

    def put(self, key: str, path: Path, *, on_bytes: OnBytes = ignore_bytes) -> Entry:
        """The key holds the file, as it was at some time after this began; there is a new object.

        A file that somebody writes meanwhile is sent once more from a copy that nobody does.
        """
        if not key or key.endswith("/"):
            raise RefusedError(f"{self._where(key)} is no object's name; give the file one.")
        with contextlib.ExitStack() as stack:
            stack.enter_context(naming_cause(path))
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mindrun-")))
            source, status = path, _status(path)
            found = self._send(key, source, on_bytes)
            if _status(path) != status:
                source = folder / "still"
                with naming_full_disk(source):
                    shutil.copyfile(path, source)
                found = self._send(key, source, on_bytes)
            size_bytes = source.stat().st_size
        if found.size_bytes != size_bytes:
            # Nobody may take it for whole.
            self.delete(key)
            raise StorageError(
                f"{self._where(key)}: {size_bytes} bytes were sent but {found.size_bytes} "
                f"arrived; they were removed."
            )
        on_bytes(size_bytes)
        return found

    def delete(self, key: str) -> None:
        """Nothing lies under the key."""
        if self.head(key) is None:
            return
        self._asked("remove", self._where(key), where=self._where(key))
        if self.head(key) is not None:
            raise StorageError(
                f"{self._where(key)} is still there though moxing says that it was removed."
            )

    def fetch_file(self, entry: Entry, path: Path, *, on_bytes: OnBytes = ignore_bytes) -> None:
        """The object lies at `path`, with the size that the entry tells.

        Raises:
            StorageError: it does not, whatever moxing said.
        """
        where = self._where(entry.key)
        path.unlink(missing_ok=True)
        growth = _Growth({path: entry.size_bytes}, on_bytes)
        self._copied("copy", where, str(path), where=where, growth=growth)
        if not path.is_file() or path.stat().st_size != entry.size_bytes:
            found = f"{path.stat().st_size} bytes" if path.is_file() else "nothing"
            raise StorageError(
                f"{where}: moxing says that it was copied, but of {entry.size_bytes} bytes "
                f"{found} came."
            )

    def fetch_files(
        self, prefix: str, entries: Sequence[Entry], folder: Path, *, on_bytes: OnBytes
    ) -> None:
        """The objects have been copied to `folder`, if moxing is right; the caller looks.

        They lie under their names below `prefix`, a folder's key that ends in a slash, or "".
        """
        names = [entry.key[len(prefix) :] for entry in entries]
        sizes = {folder / name: entry.size_bytes for name, entry in zip(names, entries)}
        source = f"{self.url}/{prefix}"
        growth = _Growth(sizes, on_bytes)
        self._copied("copy_many", source, str(folder), names, _THREADS, where=source, growth=growth)

    def _send(self, key: str, path: Path, on_bytes: OnBytes) -> Entry:
        """What lies under the key now, another object than before."""
        where = self._where(key)
        before = self.head(key)
        growth = _Growth({}, on_bytes, size_bytes=path.stat().st_size)
        self._copied("copy", str(path), where, where=where, growth=growth)
        found = self.head(key)
        if found is None or (found == before and found.etag):
            lies = "nothing" if found is None else "the old object"
            raise StorageError(f"{where}: moxing says that it was sent, but {lies} lies there.")
        return found

    def _copied(self, call: str, *arguments: Any, where: str, growth: _Growth) -> None:
        longest_s = self._stall_s + growth.longest_s
        helpers.ask(
            call,
            *arguments,
            where=where,
            stall_s=self._stall_s,
            longest_s=longest_s,
            look=growth.look,
        )
        growth.look()

    def _asked(self, call: str, *arguments: Any, where: str) -> Sequence[Any]:
        return helpers.ask(call, *arguments, where=where, stall_s=self._stall_s)

    def _where(self, key: str) -> str:
        return f"{self.url}/{key}" if key else self.url


class _Growth:
    """What has arrived of some files, told to `on_bytes` whenever somebody looks."""

    def __init__(
        self, sizes: dict[Path, int], on_bytes: OnBytes, *, size_bytes: int | None = None
    ) -> None:
        """Takes what each file will hold; an upload has none here, and only a size."""
        total_bytes = sum(sizes.values()) if size_bytes is None else size_bytes
        self.longest_s = total_bytes / SLOWEST_BYTES_PER_S + len(sizes) / SLOWEST_FILES_PER_S
        self._sizes = sizes
        self._on_bytes = on_bytes
        self._seen_bytes = 0

    def look(self) -> int:
        """How many bytes are here by now."""
        now_bytes = sum(min(_size(path), most) for path, most in self._sizes.items())
        # Also when it is nothing: the caller may want to end here.
        self._on_bytes(now_bytes - self._seen_bytes)
        self._seen_bytes = now_bytes
        return now_bytes


def _entry(key: str, size_bytes: int, mtime_ns: int) -> Entry:
    """Versions are told apart by time and size: moxing does not tell OBS's own etag."""
    etag = f"{mtime_ns:x}-{size_bytes:x}" if mtime_ns else ""
    return Entry(key, size_bytes, etag, mtime_ns / 1e9 if mtime_ns else None)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _status(path: Path) -> tuple[int, int]:
    """What changes when somebody writes the file."""
    status = path.stat()
    return status.st_size, status.st_mtime_ns
