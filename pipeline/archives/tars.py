"""Tar archives, plain or compressed, read once from beginning to end."""

from __future__ import annotations

import io
import stat
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple, cast

from pipeline.archives import reading
from pipeline.archives.compression import open_plain, opener
from pipeline.archives.destination import Destination
from pipeline.archives.member import Kind, Member
from pipeline.archives.reading import CHUNK_BYTES, naming_damage
from pipeline.archives.rules import Rules
from pipeline.errors import ArchiveError

# More than the blocks of any of these compressions, and still read in a moment.
_TELLING_BYTES = 16 << 20

# A header that says more about one member than this is no header.
_LONGEST_HEADER_BYTES = 16 << 20


class _Listed(NamedTuple):
    """A member beside its header in the library's terms."""

    member: Member
    info: tarfile.TarInfo


def is_tar(head: bytes) -> bool:
    """Whether a file's first 512 bytes are a tar header with a valid checksum."""
    try:
        tarfile.TarInfo.frombuf(head, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return head.count(0) == len(head) == tarfile.BLOCKSIZE
    return True


def unpack(path: Path, rules: Rules, destination: Destination) -> None:
    """Every member is in the destination, and the archive was read to its very end.

    Tar itself has no checksum of contents; the compression's is compared at the end.

    Raises:
        ArchiveError: the archive is damaged or against the rules.
    """
    with path.open("rb") as file:
        unpacked = opener(file.read(tarfile.BLOCKSIZE)) or open_plain
    with unpacked(path) as file:
        stream = _Stream(file, archive=path.name)
        # Zeros alone are an archive's end, with nothing before it.
        links = _unpack(stream, rules, destination) if any(stream.ahead) else []
        stream.read_to_end()
    rules.finish()
    destination.make_links(links)


def _unpack(stream: _Stream, rules: Rules, destination: Destination) -> list[Member]:
    """Folders and files are there; returns the links, whose targets may be still to come."""
    links = []
    tar = _opened(stream)
    for member, info in _listed(tar, archive=stream.archive):
        if not rules.admit(member):
            continue
        if member.is_link:
            rules.admit_link(member)
            links.append(member)
        elif member.kind is Kind.FOLDER:
            destination.make_folder(member.name)
        else:
            _write(member, _content(tar, info, stream), destination)
    return links


def _opened(stream: _Stream) -> tarfile.TarFile:
    if not is_tar(stream.ahead):
        # If damage made it look like this, a checksum further on tells.
        stream.skip(_TELLING_BYTES)
        raise ArchiveError(
            f"{stream.archive}: is one compressed file, no archive; expected a tar inside. "
            f"Pack the files as tar.gz or zip."
        )
    with naming_damage(stream.archive):
        return tarfile.open(fileobj=cast("IO[bytes]", stream), mode="r:", tarinfo=_Header)


def _listed(tar: tarfile.TarFile, *, archive: str) -> Iterator[_Listed]:
    while True:
        with naming_damage(archive):
            info = tar.next()
        if info is None:
            return
        # The library keeps every header that it has read, for reading backwards.
        tar.members.clear()  # type: ignore[attr-defined]
        yield _Listed(_member(info, archive=archive), info)


def _member(info: tarfile.TarInfo, *, archive: str) -> Member:
    name = reading.plain(_readable(info.name))
    if info.isdir():
        return Member(name, Kind.FOLDER)
    if info.issym():
        return Member(name, Kind.SYMLINK, target=_readable(info.linkname))
    if info.islnk():
        return Member(name, Kind.HARDLINK, target=_readable(info.linkname))
    if not info.isfile():
        raise reading.device(archive, name)
    return Member(name, Kind.FILE, info.size, "", bool(info.mode & stat.S_IXUSR))


def _content(tar: tarfile.TarFile, info: tarfile.TarInfo, stream: _Stream) -> Iterator[bytes]:
    source: IO[bytes] | _Stream | None = stream
    if info.issparse():
        source = tar.extractfile(info)
    left_bytes = info.size
    while source and left_bytes:
        with naming_damage(stream.archive):
            chunk = source.read(min(left_bytes, CHUNK_BYTES))
        if not chunk:
            raise reading.damaged(stream.archive, f"{info.name} lacks its end")
        left_bytes -= len(chunk)
        yield chunk


def _write(member: Member, content: Iterator[bytes], destination: Destination) -> None:
    destination.reserve(member.size_bytes)
    destination.make_folder(member.name.rpartition("/")[0])
    with destination.create(member) as new_file:
        for chunk in content:
            new_file.write(chunk)


class _Stream:
    """What a file holds, decompressed and read forwards only: going back would start anew."""

    def __init__(self, file: IO[bytes], *, archive: str) -> None:
        """Reads the first block `ahead`."""
        self.archive = archive
        self._file = file
        self._position = 0
        with naming_damage(archive):
            self.ahead = file.read(tarfile.BLOCKSIZE)

    def read(self, size_bytes: int) -> bytes:
        """So many bytes, fewer at the end only."""
        if size_bytes > _LONGEST_HEADER_BYTES:
            raise tarfile.ReadError(f"a header of {size_bytes} bytes")
        content, self.ahead = self.ahead[:size_bytes], self.ahead[size_bytes:]
        if len(content) < size_bytes:
            content += self._file.read(size_bytes - len(content))
        self._position += len(content)
        return content

    def tell(self) -> int:
        """How much has been read."""
        return self._position

    def seek(self, position: int, whence: int = io.SEEK_SET) -> int:
        """Reads up to there."""
        if whence != io.SEEK_SET or position < self._position:
            raise tarfile.ReadError(f"a header leads back to byte {position}")
        self._skip(position - self._position)
        return self._position

    def skip(self, size_bytes: int) -> None:
        """Reads and forgets so many bytes, or what there is."""
        with naming_damage(self.archive):
            self._skip(size_bytes)

    def _skip(self, size_bytes: int) -> None:
        while size_bytes > 0 and (content := self.read(min(size_bytes, CHUNK_BYTES))):
            size_bytes -= len(content)

    def read_to_end(self) -> None:
        """Compares the compression's last checksum.

        Raises:
            ArchiveError: it is damaged, or a second archive follows the first.
        """
        with naming_damage(self.archive):
            while content := self.read(CHUNK_BYTES):
                zeros = len(content) - len(content.lstrip(b"\0"))
                start = zeros - zeros % tarfile.BLOCKSIZE
                block = content[start : start + tarfile.BLOCKSIZE]
                if zeros < len(content) and is_tar(block):
                    raise ArchiveError(
                        f"{self.archive}: goes on after its end with another archive, which "
                        f"would be lost; pack the files as one archive."
                    )


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


def _readable(name: str) -> str:
    return reading.readable(name, name.encode("utf-8", "surrogateescape"))
