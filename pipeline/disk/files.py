"""Small file operations that the whole house shares: atomic writes, digests, sizes."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from io import RawIOBase
from pathlib import Path
from typing import Any

from pipeline.errors import DiskFullError

CHUNK_BYTES = 1 << 20

_DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}

# Read once, before any thread starts: asking for the umask means setting it.
_UMASK = os.umask(0o022)
os.umask(_UMASK)


def sha256_of(path: Path) -> str:
    """The file's SHA-256 as 64 hex digits, read in chunks."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def is_temporary(name: str) -> bool:
    """Whether a file or folder of this name is unfinished or private.

    >>> [is_temporary(name) for name in ("a.zip", "a.zip.part", ".lock", "_x", "b.tmp3")]
    [False, True, True, True, True]
    """
    return name.startswith((".", "_")) or ".part" in name or ".tmp" in name


def write_atomically(path: Path, content: str | bytes) -> None:
    """The file holds exactly this content, or what it held before.

    Raises:
        DiskFullError: the disk has no space for it.
    """
    data = content.encode("utf-8") if isinstance(content, str) else content
    with naming_full_disk(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary_path:
            temporary_path.write_bytes(data)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yields a temporary path beside `path`; what is written there replaces `path` at the end.

    The content reaches the disk before the name does, so that a power cut leaves
    the old file or the new one; on an error the temporary file is removed.
    """
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.tmp", dir=path.parent)
    os.close(handle)
    temporary_path = Path(name)
    try:
        yield temporary_path
        sync(temporary_path)
        # mkstemp makes files that only their owner can read.
        temporary_path.chmod(0o666 & ~_UMASK)
        temporary_path.replace(path)
    finally:
        temporary_path.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """The file holds this value as readable JSON, atomically."""
    write_atomically(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def append_json_line(path: Path, value: Any) -> None:
    """The file has one more line: this value as JSON."""
    with naming_full_disk(path), path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(value, ensure_ascii=False) + "\n")


def write_all(file: RawIOBase, content: bytes) -> None:
    """The unbuffered file holds all of it from its position on, and not only the system's pick."""
    left = memoryview(content)
    while left:
        left = left[file.write(left) :]


def sync(path: Path) -> None:
    """The file's content is on the disk, not only in the page cache."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_all(folder: Path, paths: Iterable[Path]) -> None:
    """The content of these files below the folder is on the disk, at one go where that is possible.

    For many small files this takes a tenth of the time of syncing each.
    """
    if not _sync_file_system(folder):
        for path in paths:
            sync(path)


def _sync_file_system(folder: Path) -> bool:
    """Whether all that was written to the folder's file system is on the disk now."""
    if not sys.platform.startswith("linux"):
        return False
    import ctypes

    syncfs = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
    if syncfs is None:
        return False
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        return bool(syncfs(descriptor) == 0)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def naming_full_disk(path: Path) -> Iterator[None]:
    """Turns "no space left" into one error that says where and how much is free.

    Raises:
        DiskFullError: the disk that holds `path` is full.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _DISK_FULL:
            raise
        raise DiskFullError(
            f"no disk space left while writing {path} ({free_space(path)} free there); "
            f"free some, or point cluster.data_dir and cluster.output_dir at another disk."
        ) from error


def require_space(path: Path, needed_bytes: int) -> None:
    """The disk that holds, or will hold, this path has room for so many bytes more.

    Raises:
        DiskFullError: it has not.
    """
    free_bytes = free_bytes_at(path)
    if free_bytes is not None and free_bytes < needed_bytes:
        raise DiskFullError(
            f"{path} needs {human_bytes(needed_bytes)} more, but only {human_bytes(free_bytes)} "
            f"of disk space are free there; free {human_bytes(needed_bytes - free_bytes)}, or "
            f"point cluster.data_dir and cluster.output_dir at another disk."
        )


def free_space(path: Path) -> str:
    """What is free on the disk that holds, or would hold, this path, for people."""
    free_bytes = free_bytes_at(path)
    return "nobody knows how much" if free_bytes is None else human_bytes(free_bytes)


def free_bytes_at(path: Path) -> int | None:
    """What is free on the disk that holds, or would hold, this path; None if it does not tell.

    Some network file systems say that they have no bytes at all, and take files all the same.
    """
    existing = next((p for p in (path, *path.parents) if p.exists()), Path("/"))
    usage = shutil.disk_usage(existing)
    return usage.free if usage.total else None


def human_bytes(size: float) -> str:
    """A number of bytes for people, in decimal units.

    >>> [human_bytes(n) for n in (0, 999, 46_200, 65_000_000, 3.2e9)]
    ['0 B', '999 B', '46.2 kB', '65.0 MB', '3.2 GB']
    """
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
