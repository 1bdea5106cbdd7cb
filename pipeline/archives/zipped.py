"""The contents of a zip's members: read in large pieces, inflated, compared, written once."""

from __future__ import annotations

import os
import struct
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from pipeline.archives import reading
from pipeline.archives.compression import INFLATE_ERRORS, inflater
from pipeline.archives.destination import Chunk, Destination
from pipeline.archives.member import Member
from pipeline.archives.reading import CHUNK_BYTES

_LOCAL_HEADER = struct.Struct("<4s2xHH4xLLLHH")
_SIGNATURE = b"PK\x03\x04"
_HAS_DESCRIPTOR = 0x8
IS_UTF8 = 0x800
_IN_ZIP64 = 0xFFFFFFFF

# Stays in a core's own cache between inflating, the checksum and writing; larger is slower.
_PIECE_BYTES = 256 << 10


def raw_name(listed_name: str, flags: int) -> bytes:
    """The name's bytes in the archive; the library reads what has no mark as code page 437."""
    return listed_name.encode("utf-8" if flags & IS_UTF8 else "cp437")


class PackedFile(NamedTuple):
    """A file in the archive, from the start of its header to the next one's.

    It is what the library tells, in a fifth of the memory.
    """

    member: Member
    start: int
    end: int
    packed_bytes: int
    crc32: int
    method: int
    flags: int
    listed_name: str
    info: zipfile.ZipInfo | None

    @classmethod
    def of(cls, member: Member, info: zipfile.ZipInfo, end: int) -> PackedFile:
        """The file that the directory lists so; only the rarer methods need the library again."""
        is_usual = info.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
        return cls(
            member,
            info.header_offset,
            end,
            info.compress_size,
            info.CRC,
            info.compress_type,
            info.flag_bits,
            info.orig_filename,
            None if is_usual else info,
        )


class _Piece(NamedTuple):
    """A part of the archive, from its byte `start` on."""

    start: int
    content: memoryview

    def holds(self, start: int, end: int) -> bool:
        """Whether these bytes are all in it."""
        return self.start <= start and end <= self.start + len(self.content)

    def cut(self, start: int, end: int) -> memoryview:
        """These bytes of the archive."""
        return self.content[start - self.start : end - self.start]


class Unpacker:
    """Writes members into a destination; several threads may use one."""

    def __init__(
        self,
        archive: zipfile.ZipFile,
        descriptor: int,
        destination: Destination,
        *,
        check: Callable[[], None],
    ) -> None:
        """Reads by the descriptor, which needs no common position; `check` ends a thread."""
        self._archive = archive
        self._descriptor = descriptor
        self._destination = destination
        self._check = check
        self._name = Path(archive.filename or "").name

    def unpack(self, files: Sequence[PackedFile]) -> None:
        """Files that lie beside each other are on the disk, their checksums compared."""
        start, size_bytes = files[0].start, files[-1].end - files[0].start
        # A large file comes piece by piece; the first of them holds its header.
        piece = self._read(start, size_bytes if size_bytes <= CHUNK_BYTES else _PIECE_BYTES)
        for file in files:
            self._check()
            self._unpack(file, piece)

    def _unpack(self, file: PackedFile, piece: _Piece) -> None:
        crc32 = 0
        with self._destination.create(file.member) as new_file:
            for chunk in self._chunks(file, piece):
                self._check()
                crc32 = inflater.crc32(chunk, crc32)
                new_file.write(chunk)
        if crc32 != file.crc32:
            raise reading.damaged(self._name, f"{file.member.name} has another checksum")

    def _chunks(self, file: PackedFile, piece: _Piece) -> Iterator[Chunk]:
        start = self._content_start(file, piece)
        if file.info:
            return self._by_library(file.info)
        pieces = self._pieces(start, start + file.packed_bytes, piece)
        return pieces if file.method == zipfile.ZIP_STORED else self._inflated(file, pieces)

    def _content_start(self, file: PackedFile, piece: _Piece) -> int:
        """Where the content begins, if the header before it is the directory's member."""
        fixed_end = file.start + _LOCAL_HEADER.size
        header = _LOCAL_HEADER.unpack(piece.cut(file.start, fixed_end))
        signature, flags, method, crc32, packed_bytes, size_bytes, name_bytes, extra_bytes = header
        content_start: int = fixed_end + name_bytes + extra_bytes
        name = piece.cut(fixed_end, fixed_end + name_bytes)
        is_same = (signature, method) == (_SIGNATURE, file.method)
        is_same &= name == raw_name(file.listed_name, file.flags)
        if not flags & _HAS_DESCRIPTOR:
            is_same &= crc32 == file.crc32
            is_same &= packed_bytes in (file.packed_bytes, _IN_ZIP64)
            is_same &= size_bytes in (file.member.size_bytes, _IN_ZIP64)
        if not is_same or content_start + file.packed_bytes > file.end:
            raise reading.damaged(
                self._name, f"the header of {file.member.name} is not what the directory tells"
            )
        return content_start

    def _pieces(self, start: int, end: int, piece: _Piece) -> Iterator[memoryview]:
        """These bytes of the archive: from what was read, else in further reads."""
        if piece.holds(start, end):
            yield piece.cut(start, end)
            return
        while start < end:
            content = self._read(start, min(end - start, _PIECE_BYTES)).content
            yield content
            start += len(content)

    def _inflated(self, file: PackedFile, pieces: Iterator[memoryview]) -> Iterator[bytes]:
        inflating = inflater.decompressobj(-15)
        waiting: Chunk = b""
        try:
            while not inflating.eof:
                waiting = waiting or next(pieces, b"")
                chunk = inflating.decompress(waiting, _PIECE_BYTES)
                if not chunk and not waiting:
                    raise reading.damaged(self._name, f"{file.member.name} lacks its end")
                waiting = inflating.unconsumed_tail
                yield chunk
        except INFLATE_ERRORS as error:
            raise reading.damaged(self._name, f"{file.member.name}: {error}") from error

    def _by_library(self, info: zipfile.ZipInfo) -> Iterator[bytes]:
        """What is rarely met: bzip2 and LZMA in a zip."""
        with reading.naming_damage(self._name), self._archive.open(info) as content:
            while chunk := content.read(CHUNK_BYTES):
                yield chunk

    def _read(self, start: int, size_bytes: int) -> _Piece:
        content = os.pread(self._descriptor, size_bytes, start)
        while len(content) < size_bytes:
            # Some mounts give less than was asked for.
            more = os.pread(self._descriptor, size_bytes - len(content), start + len(content))
            if not more:
                raise reading.damaged(self._name, "it ends before its members do")
            content += more
        return _Piece(start, memoryview(content))
