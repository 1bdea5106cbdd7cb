"""Archives for tests, and what unpacking them must leave behind."""

from __future__ import annotations

import io
import stat
import tarfile
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest

from pipeline.archives import ArchiveLimits, extract
from pipeline.errors import ArchiveError

LIMITS = ArchiveLimits(bytes=1 << 20, members=50, ratio=1000)
FILES = {"train/0.png": b"\x89PNG" * 1000, "train/空 1.txt": b"", "labels.csv": b"a,b\n1,2\n"}

HAS_7Z, HAS_ZSTANDARD = find_spec("py7zr") is not None, find_spec("zstandard") is not None
TARS = ["tar", "tar.gz", "tar.bz2", "tar.xz", *(["tar.zst"] if HAS_ZSTANDARD else [])]
KINDS = ["zip", *TARS, *(["7z"] if HAS_7Z else [])]


def packed(path: Path, files: dict[str, bytes] = FILES) -> Path:
    """An archive of these files, of the kind that its name says."""
    kind = path.name.rpartition(".")[2]
    if kind == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in files.items():
                archive.writestr(name, content)
    elif kind == "7z":
        import py7zr

        with py7zr.SevenZipFile(path, "w", filters=[{"id": py7zr.FILTER_LZMA2}]) as archive:
            for name, content in files.items():
                archive.writestr(content, name)
    else:
        members = [(member(name, size=len(content)), content) for name, content in files.items()]
        path.write_bytes(_tar(kind, members))
    return path


def tarred(path: Path, *members: tarfile.TarInfo) -> Path:
    """A tar, compressed as its name says, of members that hold zeros."""
    kind = path.name.rpartition(".")[2]
    path.write_bytes(_tar(kind, [(info, bytes(info.size)) for info in members]))
    return path


def _tar(kind: str, members: list[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w:" + kind.replace("tar", "").replace("zst", "")) as tar:
        for info, content in members:
            tar.addfile(info, io.BytesIO(content))
    if kind != "zst":
        return whole.getvalue()
    import zstandard

    return zstandard.ZstdCompressor(write_checksum=True).compress(whole.getvalue())


def member(
    name: str, kind: bytes = tarfile.REGTYPE, target: str = "", size: int = 0
) -> tarfile.TarInfo:
    """A tar's member of any kind."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, target, size
    return info


def zipped_as(name: str, mode: int = stat.S_IFREG) -> zipfile.ZipInfo:
    """A zip's member of any name and kind, spelled as it is."""
    info = zipfile.ZipInfo("x")
    info.filename = name
    info.external_attr = (mode | 0o644) << 16
    return info


def found(folder: Path) -> dict[str, bytes]:
    """The files below a folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def refuse(path: Path, match: str, limits: ArchiveLimits = LIMITS) -> None:
    """The archive is refused by name, and nothing is left of the attempt."""
    before = found(path.parent)

    with pytest.raises(ArchiveError, match=match) as caught:
        extract(path, path.parent / "out", limits=limits)

    assert path.name in str(caught.value)
    assert found(path.parent) == before
    assert not (path.parent / "out").exists()
