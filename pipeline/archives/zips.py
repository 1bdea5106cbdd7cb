"""Zip archives."""

from __future__ import annotations

import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from pipeline.archives.member import Kind, Member
from pipeline.archives.reader import CHUNK_BYTES, naming_damage, plain, readable
from pipeline.errors import ArchiveError

_IS_ENCRYPTED = 0x1
_IS_UTF8 = 0x800

# A link's target is a path; the content of a longer one is no target.
_LONGEST_TARGET_BYTES = 4096


class ZipReader:
    """A zip archive; its checksums are compared where content is read."""

    def __init__(self, path: Path) -> None:
        """Reads the directory at the archive's end."""
        self._path = path
        with naming_damage(path):
            self._zip = zipfile.ZipFile(path)

    def __enter__(self) -> ZipReader:
        """The reader itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Closes the archive."""
        self._zip.close()

    def members(self) -> Iterator[Member]:
        """Every member, from the directory."""
        for info in self._zip.infolist():
            if info.flag_bits & _IS_ENCRYPTED:
                raise ArchiveError(
                    f"{self._path.name}: {_name(info)!r} is encrypted with a password; "
                    f"unpack it by hand and pack it again without one."
                )
            yield self._member(info)

    def _member(self, info: zipfile.ZipInfo) -> Member:
        name = plain(_name(info))
        mode = info.external_attr >> 16
        if info.orig_filename.endswith("/"):
            return Member(name, Kind.FOLDER)
        if stat.S_ISLNK(mode):
            with naming_damage(self._path), self._zip.open(info) as file:
                raw = file.read(_LONGEST_TARGET_BYTES)
            return Member(name, Kind.SYMLINK, target=readable(raw.decode("latin-1"), raw))
        if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
            raise ArchiveError(
                f"{self._path.name}: {name!r} is a device or pipe; only files, folders and links "
                f"are unpacked. Nothing was written."
            )
        is_executable = bool(mode & stat.S_IXUSR)
        return Member(name, Kind.FILE, info.file_size, "", is_executable, info)

    def chunks(self, member: Member) -> Iterator[bytes]:
        """A file's content, compared with its checksum at the end."""
        with naming_damage(self._path), self._zip.open(member.handle) as file:
            while chunk := file.read(CHUNK_BYTES):
                yield chunk


def _name(info: zipfile.ZipInfo) -> str:
    """The name as the archive has it; `filename` was cut and cleaned by the library."""
    if info.flag_bits & _IS_UTF8:
        return info.orig_filename
    return readable(info.orig_filename, info.orig_filename.encode("cp437"))
