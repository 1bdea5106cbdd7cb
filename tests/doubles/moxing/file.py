"""The calls of `moxing.file`, over local files; see the package's docstring for its faults."""

from __future__ import annotations

import io
import os
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from moxing.faults import hang, is_due, note, root, setting

_CHUNK_BYTES = 64 << 10
_SCHEMES = ("obs://", "s3://")


class MoxFileNotExistsException(Exception):  # noqa: N818 - the real one's name
    """There is no such object."""


class MoxFileRespException(Exception):  # noqa: N818
    """OBS has answered with an error."""


class MoxFileReadException(Exception):  # noqa: N818
    """An object could not be read."""


class MoxFileNameDuplicateException(Exception):  # noqa: N818
    """An object and a folder share a name."""


class FileStat:
    """What `stat` tells."""

    def __init__(self, length: int, mtime_nsec: int, is_directory: bool) -> None:
        """Takes the three things."""
        self.length = length
        self.mtime_nsec = mtime_nsec
        self.is_directory = is_directory


def _path(url: str) -> Path:
    for scheme in _SCHEMES:
        if url.startswith(scheme):
            return root() / url[len(scheme) :].lstrip("/")
    return Path(url)


def _is_remote(url: str) -> bool:
    return url.startswith(_SCHEMES)


def _fail(call: str) -> None:
    text = setting("text", "Error occurs when accessing to OBS.")
    raise MoxFileRespException(f"{text} [{call}] [Status=500]")


def _trouble(call: str, *urls: str) -> None:
    note(call, *urls)
    if is_due(f"hang_{call}"):
        hang()
    if is_due(f"fail_{call}"):
        _fail(call)


def copy(src_url: str, dst_url: str, client_id: object = None) -> None:
    """One file, to one name."""
    del client_id
    note("copy", src_url, dst_url)
    _copy(src_url, dst_url)


def _copy(src_url: str, dst_url: str) -> None:
    source, target = _path(src_url), _path(dst_url)
    if is_due("hang"):
        hang()
    if is_due("fail"):
        _fail("copy")
    if _is_remote(dst_url) and target.parent == root():
        raise MoxFileRespException("[Status=403] AccessDenied: putContent on a bucket's root")
    if source.is_dir():
        raise MoxFileRespException("Error occurs when accessing to OBS. It is a directory.")
    if not source.is_file():
        if setting("silent"):
            return
        raise MoxFileNotExistsException(f"{src_url} does not exist")
    if is_due("swallow"):
        return
    size_bytes = source.stat().st_size // 2 if is_due("truncate") else source.stat().st_size
    target.parent.mkdir(parents=True, exist_ok=True)
    if not _is_remote(dst_url):
        _transfer(source, target, size_bytes)
        return
    # An object is there as a whole or not at all.
    handle, name = tempfile.mkstemp(dir=root(), prefix=".upload")
    os.close(handle)
    _transfer(source, Path(name), size_bytes)
    Path(name).replace(target)


def _transfer(source: Path, target: Path, size_bytes: int) -> None:
    slow_s = setting("slow_s", 0)
    with source.open("rb") as reading, target.open("wb", buffering=0) as writing:
        while chunk := reading.read(min(_CHUNK_BYTES, size_bytes)):
            writing.write(chunk)
            size_bytes -= len(chunk)
            time.sleep(slow_s)


def copy_parallel(
    src_url: str,
    dst_url: str,
    file_list: list[str] | None = None,
    threads: int = 16,
    is_processing: bool = True,
    use_queue: bool = True,
) -> None:
    """What lies below one folder, to below another; what is there already stays."""
    del is_processing, use_queue
    note("copy_parallel", src_url, dst_url)
    source, target = src_url.rstrip("/"), dst_url.rstrip("/")
    if _path(source).is_file():
        _copy(source, target)
        return
    names = file_list or _files_below(_path(source))
    if not names and not setting("silent"):
        raise MoxFileNotExistsException(f"No files to copy in {src_url}")
    if is_due("leave_out"):
        names = names[::2]
    with ThreadPoolExecutor(max(1, threads)) as pool:
        list(pool.map(lambda name: _copy(f"{source}/{name}", f"{target}/{name}"), names))


def _files_below(folder: Path) -> list[str]:
    return [p.relative_to(folder).as_posix() for p in sorted(folder.rglob("*")) if p.is_file()]


def exists(url: str) -> bool:
    """Whether there is an object or a folder."""
    return _path(url).exists()


def is_directory(url: str) -> bool:
    """Whether there is a folder."""
    return _path(url).is_dir()


def list_directory(url: str, recursive: bool = False, **_: Any) -> list[str]:
    """Names below, those of folders too; of a local folder always all."""
    _trouble("list", url)
    folder = _path(url)
    if not folder.is_dir():
        raise MoxFileNotExistsException(f"{url} does not exist")
    found = folder.rglob("*") if recursive or not _is_remote(url) else folder.iterdir()
    return [path.relative_to(folder).as_posix() for path in sorted(found)]


def get_size(url: str, recursive: bool = False) -> int:
    """The size of an object, of a folder only with `recursive`."""
    path = _path(url)
    if path.is_file():
        return path.stat().st_size
    return sum((path / name).stat().st_size for name in _files_below(path)) if recursive else 0


def stat(url: str) -> FileStat:
    """Size, time and kind."""
    _trouble("stat", url)
    path = _path(url)
    if not path.exists():
        raise MoxFileNotExistsException(f"{url} does not exist")
    status = path.stat()
    size_bytes = 0 if path.is_dir() else status.st_size
    return FileStat(size_bytes, status.st_mtime_ns, path.is_dir())


def make_dirs(url: str) -> None:
    """The folder and those above it."""
    _path(url).mkdir(parents=True, exist_ok=True)


def mk_dir(url: str) -> None:
    """The folder; OSError where there is none above it."""
    _path(url).mkdir(exist_ok=True)


def read(url: str, client_id: object = None, binary: bool = False) -> str | bytes:
    """What an object holds."""
    del client_id
    content = _path(url).read_bytes()
    return content if binary else content.decode()


def write(url: str, data: str | bytes, binary: bool = False) -> None:
    """An object holds this."""
    del binary
    path = _path(url)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.encode() if isinstance(data, str) else data)


def append(url: str, data: str | bytes, binary: bool = False) -> None:
    """An object holds this as well."""
    before = read(url, binary=True) if exists(url) else b""
    after = data.encode() if isinstance(data, str) else data
    write(url, bytes(before) + after, binary=binary)  # type: ignore[arg-type]


def File(name: str, mode: str = "r") -> io.IOBase:  # noqa: N802
    """The object, opened."""
    return open(_path(name), mode)  # noqa: PTH123 - the real one's manner


def remove(url: str, recursive: bool = False) -> None:
    """The object is gone; a folder, or a name with a slash, stays without a word."""
    _trouble("remove", url)
    path = _path(url)
    if recursive and path.is_dir():
        for name in _files_below(path):
            (path / name).unlink()
    elif url.endswith("/") or path.is_dir() or is_due("lose_remove"):
        return
    elif path.exists():
        path.unlink()
    else:
        raise MoxFileNotExistsException(f"{url} does not exist")


def rename(src_url: str, dst_url: str) -> None:
    """The object has another name."""
    _path(src_url).replace(_path(dst_url))


def walk(url: str) -> Iterator[tuple[str, list[str], list[str]]]:
    """As os.walk."""
    return os.walk(_path(url))


def glob(pattern: str) -> list[str]:
    """Names that fit."""
    path = _path(pattern)
    return sorted(str(found) for found in path.parent.glob(path.name))


def set_auth(**_: Any) -> None:
    """Changes nothing here."""
