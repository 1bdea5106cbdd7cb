"""What an archive holds, and the rules for what of it may be written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from pipeline.errors import ArchiveError, IntegrityError
from pipeline.files import human_bytes
from pipeline.folders import inside, refuse_clashes


@dataclass(frozen=True)
class ArchiveLimits:
    """What unpacking may produce: bytes, members, and bytes per byte of the archive."""

    bytes: int
    members: int
    ratio: float


class Kind(Enum):
    """What a member becomes on the disk."""

    FILE = "file"
    FOLDER = "folder"
    SYMLINK = "symbolic link"
    HARDLINK = "hard link"


@dataclass(frozen=True)
class Member:
    """One entry of an archive, as its headers tell; `handle` is its reader's own.

    `target` is where a link points: relative to the link's folder for symbolic links,
    to the archive's root for hard links.
    """

    name: str
    kind: Kind
    size_bytes: int = 0
    target: str = ""
    is_executable: bool = False
    handle: Any = None

    @property
    def is_link(self) -> bool:
        """Whether `target` counts."""
        return self.kind in (Kind.SYMLINK, Kind.HARDLINK)


class Allowance:
    """Counts what comes out of an archive against its limits."""

    def __init__(self, limits: ArchiveLimits, *, archive: str, archive_bytes: int) -> None:
        """Starts at nothing; `archive` is the name for messages."""
        self._limits = limits
        self._archive = archive
        self._archive_bytes = archive_bytes
        self._members = 0
        self._bytes = 0

    def add_member(self) -> None:
        """One more member, of whatever kind."""
        self._members += 1
        if self._members > self._limits.members:
            raise self._excess(f"{self._limits.members} members", key="members")

    def add_bytes(self, size_bytes: int) -> None:
        """So many more bytes on the disk."""
        self._bytes += size_bytes
        if self._bytes > self._limits.bytes:
            raise self._excess(human_bytes(self._limits.bytes), key="bytes")
        if self._bytes > self._limits.ratio * self._archive_bytes:
            packed = human_bytes(self._archive_bytes)
            raise self._excess(f"{self._limits.ratio:g} times its {packed}", key="ratio")

    def _excess(self, limit: str, *, key: str) -> ArchiveError:
        return ArchiveError(
            f"{self._archive}: unpacks to more than {limit}, which is the limit; if you trust it, "
            f"raise dataset.limits.{key}."
        )


def check(members: Sequence[Member], *, archive: str) -> dict[str, Member]:
    """The members by their names, folders once, if all of them may be written together.

    Raises:
        ArchiveError: a name or a link leads out of the folder, or two cannot both be there.
    """
    try:
        named = [(inside(member.name, origin=archive), member) for member in members]
        others = [name for name, member in named if member.kind is not Kind.FOLDER]
        refuse_clashes(others, origin=archive)
    except IntegrityError as error:
        raise ArchiveError(str(error)) from error
    clashes = {name for name, member in named if member.kind is Kind.FOLDER} & set(others)
    if clashes:
        raise ArchiveError(f"{archive}: {min(clashes)!r} is a file and a folder in it.")
    checked = dict(named)
    for member in checked.values():
        if member.is_link:
            _check_link(member, checked, archive=archive)
    return checked


def _check_link(link: Member, members: Mapping[str, Member], *, archive: str) -> None:
    """The link points up no further than to the root, and then only down.

    After a step down no step up is allowed: that way may lead through another link,
    and then up means something else on the disk than in the text.
    """
    steps = [part for part in link.target.split("/") if part not in ("", ".")]
    climb = next((i for i, part in enumerate(steps) if part != ".."), len(steps))
    depth = link.name.count("/") if link.kind is Kind.SYMLINK else 0
    is_odd = not steps or link.target.startswith("/") or {"\\", "\0"} & set(link.target)
    if is_odd or climb > depth or ".." in steps[climb:]:
        raise _bad_link(link, archive=archive)
    if link.kind is Kind.HARDLINK:
        file = members.get("/".join(steps))
        if file is None or file.kind is not Kind.FILE:
            raise _bad_link(link, archive=archive)


def _bad_link(link: Member, *, archive: str) -> ArchiveError:
    return ArchiveError(
        f"{archive}: {link.kind.value} {link.name!r} points to {link.target!r}, which may be "
        f"outside; pack it again without links (tar --dereference). Nothing was written."
    )
