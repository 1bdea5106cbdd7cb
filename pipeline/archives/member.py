"""What an archive holds, and how much of it is welcome."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple


@dataclass(frozen=True)
class ArchiveLimits:
    """What unpacking may produce: bytes, members, and bytes per byte of the archive."""

    bytes: int
    members: int
    ratio: float


@dataclass(frozen=True)
class Contents:
    """What an archive unpacks to; a folder counts as a member if it is one by itself."""

    members: int
    size_bytes: int


class Kind(Enum):
    """What a member becomes on the disk."""

    FILE = "file"
    FOLDER = "folder"
    SYMLINK = "symbolic link"
    HARDLINK = "hard link"


class Member(NamedTuple):
    """One entry of an archive, as its headers tell.

    `target` is where a link points: relative to the link's folder for symbolic links,
    to the archive's root for hard links.
    """

    name: str
    kind: Kind
    size_bytes: int = 0
    target: str = ""
    is_executable: bool = False

    @property
    def is_link(self) -> bool:
        """Whether `target` counts."""
        return self.kind in (Kind.SYMLINK, Kind.HARDLINK)
