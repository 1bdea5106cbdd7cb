"""Which archives there are: by name, a hint; by their first bytes, what counts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pipeline.archives.reader import Reader
from pipeline.archives.tars import TarReader, is_tar, opener
from pipeline.archives.zips import ZipReader
from pipeline.errors import ArchiveError

# Longest first; the last ones are recognised to be refused with a reason.
_SUFFIXES = (
    ".tar.bz2", ".tar.zst", ".tar.gz", ".tar.xz", ".tbz2", ".tzst", ".tbz", ".tgz", ".txz",
    ".tar", ".zip", ".rar", ".7z",
)  # fmt: skip

_UNSUPPORTED = {
    b"7z\xbc\xaf\x27\x1c": "7z",
    b"Rar!\x1a\x07": "RAR",
    b"\x28\xb5\x2f\xfd": "Zstandard",
}

# What tar needs to be recognised: one block.
_HEAD_BYTES = 512


def is_archive(name: str) -> bool:
    """Whether a file of this name is meant to be unpacked.

    >>> [is_archive(name) for name in ("MNISTData.ZIP", "a.tar.gz", "images-idx3-ubyte.gz", ".zip")]
    [True, True, False, False]
    """
    return stem(name) != name


def stem(name: str) -> str:
    """The name without an archive's suffix.

    >>> stem("MNISTData.tar.gz"), stem("v1.0.zip"), stem("notes.txt")
    ('MNISTData', 'v1.0', 'notes.txt')
    """
    suffix = next((end for end in _SUFFIXES if name.lower().endswith(end)), "")
    return name[: len(name) - len(suffix)] or name


def reader_for(path: Path) -> Callable[[Path], Reader]:
    """What reads this archive, by its content.

    Raises:
        ArchiveError: it is no archive, or one of a kind that is not read here.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return ZipReader
    if is_tar(head) or opener(head):
        return TarReader
    for magic, kind in _UNSUPPORTED.items():
        if head.startswith(magic):
            raise ArchiveError(f"{path.name}: {kind} is not unpacked here; use zip or tar.gz.")
    raise ArchiveError(
        f"{path.name}: is no archive, its content starts with {head[:12]!r}; expected zip, tar, "
        f"tar.gz, tar.bz2 or tar.xz. Look whether the link leads to a page instead of the file."
    )
