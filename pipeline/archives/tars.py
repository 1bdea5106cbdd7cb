"""Tar archives, plain or compressed."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import lzma
import stat
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, cast

from pipeline.archives.member import Kind, Member
from pipeline.archives.reader import CHUNK_BYTES, naming_damage, plain, readable
from pipeline.errors import ArchiveError

# More than the blocks of any of these compressions, and still read in a moment.
_TELLING_BYTES = 16 << 20

Opener = Callable[[Path], IO[bytes]]

_OPENERS: tuple[tuple[bytes, Opener], ...] = (
    (b"\x1f\x8b", cast("Opener", gzip.open)),
    (b"BZh", cast("Opener", bz2.open)),
    (b"\xfd7zXZ\x00", cast("Opener", lzma.open)),
)


def opener(head: bytes) -> Opener | None:
    """What undoes the compression of a file that starts like this."""
    return next((found for magic, found in _OPENERS if head.startswith(magic)), None)


def is_tar(head: bytes) -> bool:
    """Whether a file's first 512 bytes are a tar header with a valid checksum."""
    try:
        tarfile.TarInfo.frombuf(head, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return head.count(0) == len(head) == tarfile.BLOCKSIZE
    return True


class TarReader:
    """A tar archive, read once for its headers and once more for its files.

    Tar itself has no checksum of contents; the first reading goes to the very end, so
    that the compression's checksum is compared before anything is written.
    """

    def __init__(self, path: Path) -> None:
        """Takes the file's compression from its first bytes."""
        self._path = path
        with path.open("rb") as file:
            self._open = opener(file.read(tarfile.BLOCKSIZE)) or _open_plain
        self._tar: tarfile.TarFile | None = None
        self._closing = contextlib.ExitStack()

    def __enter__(self) -> TarReader:
        """The reader itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Closes the archive."""
        self._closing.close()

    def members(self) -> Iterator[Member]:
        """Every member, and at the end the proof that nothing is missing."""
        with naming_damage(self._path), self._open(self._path) as stream:
            self._require_tar(stream)
            with tarfile.open(fileobj=stream, mode="r:", tarinfo=_Header) as tar:
                for info in tar:
                    yield self._member(info)
            while stream.read(CHUNK_BYTES):
                pass

    def chunks(self, member: Member) -> Iterator[bytes]:
        """A file's content."""
        with naming_damage(self._path):
            if self._tar is None:
                stream = self._closing.enter_context(self._open(self._path))
                again = tarfile.open(fileobj=stream, mode="r:", tarinfo=_Header)  # noqa: SIM115
                self._tar = self._closing.enter_context(again)
            file = self._tar.extractfile(member.handle)
            while file and (chunk := file.read(CHUNK_BYTES)):
                yield chunk

    def _require_tar(self, stream: IO[bytes]) -> None:
        if not is_tar(stream.read(tarfile.BLOCKSIZE)):
            # If damage made it look like this, a checksum further on tells.
            stream.read(_TELLING_BYTES)
            raise ArchiveError(
                f"{self._path.name}: is one compressed file, no archive; expected a tar inside. "
                f"Pack the files as tar.gz or zip."
            )
        stream.seek(0)

    def _member(self, info: tarfile.TarInfo) -> Member:
        name = plain(_readable(info.name))
        if info.isdir():
            return Member(name, Kind.FOLDER)
        if info.issym():
            return Member(name, Kind.SYMLINK, target=_readable(info.linkname))
        if info.islnk():
            return Member(name, Kind.HARDLINK, target=_readable(info.linkname))
        if not info.isfile():
            raise ArchiveError(
                f"{self._path.name}: {name!r} is a device or pipe; only files, folders and links "
                f"are unpacked. Nothing was written."
            )
        is_executable = bool(info.mode & stat.S_IXUSR)
        return Member(name, Kind.FILE, info.size, "", is_executable, info)


class _Header(tarfile.TarInfo):
    """A header that is no header is an error; tarfile takes it for the archive's end."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _Header:
        """The header in these 512 bytes; zeros are the end of the archive."""
        try:
            return super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            if buf.count(0) == len(buf) == tarfile.BLOCKSIZE:
                raise
            raise tarfile.ReadError(f"no valid header: {error}") from error


def _open_plain(path: Path) -> IO[bytes]:
    return path.open("rb")


def _readable(name: str) -> str:
    return readable(name, name.encode("utf-8", "surrogateescape"))
