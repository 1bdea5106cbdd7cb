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
_IS_UTF8 = 0x800
_IN_ZIP64 = 0xFFFFFFFF


def is_utf8(info: zipfile.ZipInfo) -> bool:
    """Whether the archive says in what encoding this member's name is."""
    return bool(info.flag_bits & _IS_UTF8)


def raw_name(info: zipfile.ZipInfo) -> bytes:
    """The name's bytes in the archive; the library reads what has no mark as code page 437."""
    return info.orig_filename.encode("utf-8" if is_utf8(info) else "cp437")


class PackedFile(NamedTuple):
    """A member, where its header starts and what follows it."""

    member: Member
    info: zipfile.ZipInfo
    end: int

    @property
    def start(self) -> int:
        """Where its own header begins."""
        return self.info.header_offset


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
        start = files[0].start
        piece = self._read(start, min(files[-1].end - start, 2 * CHUNK_BYTES))
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
        if crc32 != file.info.CRC:
            raise reading.damaged(self._name, f"{file.member.name} has another checksum")

    def _chunks(self, file: PackedFile, piece: _Piece) -> Iterator[Chunk]:
        start = self._content_start(file, piece)
        pieces = self._pieces(start, start + file.info.compress_size, piece)
        if file.info.compress_type == zipfile.ZIP_STORED:
            return pieces
        if file.info.compress_type == zipfile.ZIP_DEFLATED:
            return self._inflated(file, pieces)
        return self._by_library(file)

    def _content_start(self, file: PackedFile, piece: _Piece) -> int:
        """Where the content begins, if the header before it is the directory's member."""
        info, start = file.info, file.start
        fixed_end = start + _LOCAL_HEADER.size
        header = _LOCAL_HEADER.unpack(piece.cut(start, fixed_end))
        signature, flags, method, crc32, packed_bytes, size_bytes, name_bytes, extra_bytes = header
        content_start: int = fixed_end + name_bytes + extra_bytes
        name = piece.cut(fixed_end, fixed_end + name_bytes)
        is_same = (signature, method) == (_SIGNATURE, info.compress_type) and (
            name == raw_name(info)
        )
        if not flags & _HAS_DESCRIPTOR:
            sizes = ((packed_bytes, info.compress_size), (size_bytes, info.file_size))
            is_same &= crc32 == info.CRC
            is_same &= all(here in (there, _IN_ZIP64) for here, there in sizes)
        if not is_same or content_start + info.compress_size > file.end:
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
            content = self._read(start, min(end - start, CHUNK_BYTES)).content
            yield content
            start += len(content)

    def _inflated(self, file: PackedFile, pieces: Iterator[memoryview]) -> Iterator[bytes]:
        inflating = inflater.decompressobj(-15)
        waiting: Chunk = b""
        try:
            while not inflating.eof:
                waiting = waiting or next(pieces, b"")
                chunk = inflating.decompress(waiting, CHUNK_BYTES)
                if not chunk and not waiting:
                    raise reading.damaged(self._name, f"{file.member.name} lacks its end")
                waiting = inflating.unconsumed_tail
                yield chunk
        except INFLATE_ERRORS as error:
            raise reading.damaged(self._name, f"{file.member.name}: {error}") from error

    def _by_library(self, file: PackedFile) -> Iterator[bytes]:
        """What is rarely met: bzip2 and LZMA in a zip."""
        with reading.naming_damage(self._name), self._archive.open(file.info) as content:
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
