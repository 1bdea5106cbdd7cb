"""Which bytes of an unfinished file have arrived, on record so that a kill costs next to none."""

from __future__ import annotations

import contextlib
import hashlib
import json
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pipeline.disk.files import CHUNK_BYTES

# How many bytes of a range have arrived, their CRC, and the CRC of this slot itself.
_SLOT = struct.Struct("<QII")
_PLACE = struct.Struct("<QQII")

RECORD_SUFFIX = ".ranges"

Version = Mapping[str, object]


@dataclass
class Range:
    """A stretch of the file that is fetched from its start on; `crc` is that of what is there."""

    number: int
    start_byte: int
    end_byte: int
    done_bytes: int = 0
    crc: int = 0

    @property
    def reached_byte(self) -> int:
        """Where the next byte goes."""
        return self.start_byte + self.done_bytes

    @property
    def is_done(self) -> bool:
        """Whether all of it is there."""
        return self.reached_byte == self.end_byte

    def holds(self, file: BinaryIO) -> bool:
        """Whether the file really has what this range says, which a power cut may have undone."""
        file.seek(self.start_byte)
        crc, left_bytes = 0, self.done_bytes
        while chunk := file.read(min(CHUNK_BYTES, left_bytes)):
            crc = zlib.crc32(chunk, crc)
            left_bytes -= len(chunk)
        return (left_bytes, crc) == (0, self.crc)


def divided(size_bytes: int, part_bytes: int) -> list[Range]:
    """The whole in ranges of this size, the last one shorter; an empty file has one range.

    >>> [(r.start_byte, r.end_byte) for r in divided(250, 100)]
    [(0, 100), (100, 200), (200, 250)]
    """
    starts = range(0, max(size_bytes, 1), part_bytes)
    return [Range(n, start, min(start + part_bytes, size_bytes)) for n, start in enumerate(starts)]


class Record:
    """A small file beside the unfinished one: its version in a line, then a slot per range.

    A slot is written after the bytes that it speaks of and carries their CRC, so that
    whatever a kill, a power cut or a damaged disk leaves, no wrong byte passes for one
    that arrived.
    """

    def __init__(self, path: Path) -> None:
        """Takes the record's own path."""
        self._path = path
        self._head_bytes = 0

    def read(self) -> tuple[Version, list[Range]]:
        """The version, and its ranges as far as their slots can be trusted; else nothing."""
        try:
            head, _, slots = self._path.read_bytes().partition(b"\n")
            version, crc = json.loads(head)
            if crc != _crc_of(version):
                return {}, []
            ranges = divided(version["size_bytes"], version["part_bytes"])
        except (OSError, ValueError, TypeError, KeyError):
            return {}, []
        self._head_bytes = len(head) + 1
        for found in ranges:
            _fill(found, slots[found.number * _SLOT.size :][: _SLOT.size])
        return version, ranges

    def begin(self, version: Version) -> None:
        """The record speaks of this version, of which nothing has arrived."""
        head = json.dumps([version, _crc_of(version)]).encode() + b"\n"
        self._path.write_bytes(head)
        self._head_bytes = len(head)

    def open(self) -> BinaryIO:
        """The record for `note`; each thread has its own."""
        return self._path.open("r+b", buffering=0)

    def note(self, file: BinaryIO, arrived: Range) -> None:
        """What has arrived of this range is on record."""
        place = (arrived.number, arrived.done_bytes, arrived.crc)
        file.seek(self._head_bytes + arrived.number * _SLOT.size)
        file.write(_SLOT.pack(arrived.done_bytes, arrived.crc, _slot_crc(*place)))

    def remove(self) -> None:
        """There is no record."""
        self._path.unlink(missing_ok=True)


def record_path_of(part_path: Path) -> Path:
    """Where the record of this unfinished file lies."""
    return part_path.with_name(f"{part_path.name}{RECORD_SUFFIX}")


def source_of(where: str) -> str:
    """What tells the places apart that bytes come from, as a record may keep it.

    `where` names an object or a folder without credentials and query, which differ from
    one signed link to the next.
    """
    return hashlib.sha256(where.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def recorded_bytes(part_path: Path, *, source: str | None = None) -> int:
    """How many bytes of the unfinished file are there, by its record, if they are this source's."""
    version, ranges = Record(record_path_of(part_path)).read()
    if source not in (None, version.get("source")):
        return 0
    reached_byte = max((r.reached_byte for r in ranges if r.done_bytes), default=0)
    with contextlib.suppress(OSError):
        if part_path.stat().st_size >= reached_byte:
            return sum(r.done_bytes for r in ranges)
    return 0


def _fill(found: Range, slot: bytes) -> None:
    if len(slot) < _SLOT.size:
        return
    done_bytes, crc, slot_crc = _SLOT.unpack(slot)
    is_sound = slot_crc == _slot_crc(found.number, done_bytes, crc)
    if is_sound and done_bytes <= found.end_byte - found.start_byte:
        found.done_bytes, found.crc = done_bytes, crc


def _crc_of(version: Version) -> int:
    return zlib.crc32(json.dumps(version).encode())


def _slot_crc(number: int, done_bytes: int, crc: int) -> int:
    # A slot of zeros, as a hole in the file has, must not be a sound one.
    return zlib.crc32(_PLACE.pack(number, done_bytes, crc, 1))
