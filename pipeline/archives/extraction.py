"""An archive becomes a folder."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pipeline.archives.formats import reader_for
from pipeline.archives.member import Allowance, ArchiveLimits, Kind, Member, check
from pipeline.archives.reader import Reader
from pipeline.errors import ArchiveError, DiskFullError
from pipeline.files import human_bytes
from pipeline.folders import building, folders_of
from pipeline.storage import OnBytes, ignore_bytes
from pipeline.storage.disk import naming_cause

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Contents:
    """What an archive unpacked to."""

    members: int
    size_bytes: int


def extract(
    archive_path: Path,
    folder: Path,
    *,
    limits: ArchiveLimits,
    on_bytes: OnBytes = ignore_bytes,
) -> Contents:
    """The archive's members lie in `folder`, all of them, or there is no such folder.

    Every name, link and announced size is checked before the first byte is written;
    checksums and limits again while writing. Owners and special modes are not kept.

    Raises:
        ArchiveError: it is no archive, or it is damaged, locked, unsafe or too big.
        IntegrityError: `folder` exists already.
        DiskFullError: the disk has no space for what is in it.
    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(naming_cause(archive_path))
        name, archive_bytes = archive_path.name, archive_path.stat().st_size
        allowance = Allowance(limits, archive=name, archive_bytes=archive_bytes)
        reader = stack.enter_context(reader_for(archive_path)(archive_path))
        workshop = stack.enter_context(building(folder))
        members = check(_announced(reader, allowance, archive=name), archive=name)
        size_bytes = sum(member.size_bytes for member in members.values())
        _require_space(workshop, size_bytes, archive=name)
        allowance = Allowance(limits, archive=name, archive_bytes=archive_bytes)
        _Writing(workshop / "files", reader, allowance, on_bytes, archive=name).write(members)
    return Contents(members=len(members), size_bytes=size_bytes)


def _announced(reader: Reader, allowance: Allowance, *, archive: str) -> list[Member]:
    """The members as the headers tell, refused as soon as they are too many or too big."""
    members = []
    for member in reader.members():
        allowance.add_member()
        allowance.add_bytes(member.size_bytes)
        if not (member.kind is Kind.FOLDER and member.name in ("", ".")):
            members.append(member)
    if not members:
        raise ArchiveError(f"{archive}: is empty; fetch it again, or pack it again.")
    return members


def _require_space(folder: Path, size_bytes: int, *, archive: str) -> None:
    free_bytes = shutil.disk_usage(folder).free
    if size_bytes > free_bytes:
        raise DiskFullError(
            f"{archive}: unpacks to {human_bytes(size_bytes)}, but the disk has no more than "
            f"{human_bytes(free_bytes)} free for {folder.parent}; free some of its space, or set "
            f"another cluster.data_dir."
        )


class _Writing:
    """Writes checked members into an empty folder."""

    def __init__(
        self,
        folder: Path,
        reader: Reader,
        allowance: Allowance,
        on_bytes: OnBytes,
        *,
        archive: str,
    ) -> None:
        self._archive = archive
        self._folder = folder
        self._reader = reader
        self._allowance = allowance
        self._on_bytes = on_bytes

    def write(self, members: Mapping[str, Member]) -> None:
        """All members are on the disk; links come last: nothing is written through one."""
        try:
            folders = {name for name, member in members.items() if member.kind is Kind.FOLDER}
            # In this order every folder comes after the one that it lies in.
            for name in sorted(folders | folders_of(members)):
                (self._folder / name).mkdir(exist_ok=True)
            for name, member in members.items():
                if member.kind is Kind.FILE:
                    self._write_file(self._folder / name, member)
            for name, member in members.items():
                if member.is_link:
                    self._link(self._folder / name, member)
        except (FileExistsError, NotADirectoryError) as error:
            raise ArchiveError(
                f"{self._archive}: {error.filename} is there already, in a spelling that this disk "
                f"takes for the same (small and capital letters, accents); rename one of them."
            ) from error
        except OSError as error:
            if error.errno not in (errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL):
                raise
            raise ArchiveError(
                f"{self._archive}: this disk cannot hold the name of {error.filename!r}; "
                f"pack it again with shorter, plain names."
            ) from error

    def _write_file(self, path: Path, member: Member) -> None:
        count_bytes = 0
        with path.open("xb") as file:
            for chunk in self._reader.chunks(member):
                self._allowance.add_bytes(len(chunk))
                file.write(chunk)
                count_bytes += len(chunk)
                self._on_bytes(len(chunk))
            if member.is_executable:
                mode = os.fstat(file.fileno()).st_mode
                os.fchmod(file.fileno(), mode | (mode & 0o444) >> 2)
        if count_bytes != member.size_bytes:
            raise ArchiveError(
                f"{self._archive}: {member.name} gave {count_bytes} bytes but its header says "
                f"{member.size_bytes}; remove the archive and fetch it again."
            )

    def _link(self, path: Path, member: Member) -> None:
        if member.kind is Kind.SYMLINK:
            # Doubled slashes go: some readers take what follows them for an absolute path.
            path.symlink_to(PurePosixPath(member.target))
        else:
            os.link(self._folder / member.target, path)
