"""Which archives there are: by name, a hint; by their first bytes, what counts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pipeline.archives import sevenzips, tars, zips
from pipeline.archives.compression import opener
from pipeline.archives.destination import Destination
from pipeline.archives.rules import Rules
from pipeline.archives.tars import is_tar
from pipeline.errors import ArchiveError, DamagedArchiveError

Unpack = Callable[[Path, Rules, Destination], None]

# Longest first; RAR is recognised to be refused with the reason.
_SUFFIXES = (
    ".tar.bz2", ".tar.zst", ".tar.gz", ".tar.xz", ".tbz2", ".tzst", ".tbz", ".tgz", ".txz",
    ".tar", ".zip", ".rar", ".7z",
)  # fmt: skip

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


def unpacker_for(path: Path) -> Unpack:
    """What unpacks this archive, by its content.

    Raises:
        ArchiveError: it is no archive, or one of a kind that is not read here.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return zips.unpack
    if head.startswith(b"7z\xbc\xaf\x27\x1c"):
        return sevenzips.unpack
    if is_tar(head) or opener(head):
        return tars.unpack
    if head.startswith(b"Rar!\x1a\x07"):
        raise ArchiveError(f"{path.name}: RAR is not unpacked here; use zip or tar.gz.")
    raise DamagedArchiveError(
        f"{path.name}: is no archive, its content starts with {head[:12]!r}; expected zip, 7z, "
        f"tar, tar.gz, tar.bz2, tar.xz or tar.zst. Look whether the link leads to a page instead "
        f"of the file."
    )
