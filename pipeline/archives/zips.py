"""Zip archives: the directory at the end says what is in them and where."""

from __future__ import annotations

import os
import stat
import struct
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from pipeline.archives import reading
from pipeline.archives.destination import Destination
from pipeline.archives.member import Kind, Member
from pipeline.archives.reading import CHUNK_BYTES, naming_damage
from pipeline.archives.rules import Rules
from pipeline.archives.threads import Crew
from pipeline.archives.zipped import IS_UTF8, PackedFile, Unpacker, raw_name
from pipeline.errors import DamagedArchiveError

# Locked by a password, in the old way or the new.
_IS_ENCRYPTED = 0x1 | 0x40
_AES = 99

# What one read fetches and one thread unpacks: so much of the archive, so many files.
_BATCH_BYTES, _BATCH_FILES = CHUNK_BYTES, 512

# Without the names and what else has no fixed length.
_LOCAL_HEADER_BYTES = 30

# An entry of the directory, and in it the lengths of name, extra field and comment.
_ENTRY, _LENGTHS = b"PK\x01\x02", struct.Struct("<28x3H12x")

# The directory's signature, its end in the newer form and in the older.
_AFTER_DIRECTORY = (b"PK\x05\x05", b"PK\x06\x06", b"PK\x05\x06")


def unpack(path: Path, rules: Rules, destination: Destination) -> None:
    """Every member is in the destination, if the rules admit them all.

    Raises:
        ArchiveError: the archive is damaged, locked or against the rules.
    """
    with naming_damage(path.name):
        archive = zipfile.ZipFile(path)
    with archive, path.open("rb") as file:
        _require_whole_list(archive, file.fileno(), archive_name=path.name)
        files, links = [], []
        for info, end in _listed(archive, archive_name=path.name):
            member = _member(archive, info, archive_name=path.name)
            if not rules.admit(member):
                continue
            if member.is_link:
                rules.admit_link(member)
                links.append(member)
            elif member.kind is Kind.FILE:
                files.append(PackedFile.of(member, info, end))
        files.reverse()
        destination.require_room(rules.finish())
        destination.make_folders(sorted(rules.folders))
        crew = Crew(destination.workers)
        unpacker = Unpacker(archive, file.fileno(), destination, check=crew.check)
        crew.run(unpacker.unpack, _batches(files))
        destination.make_links(links)


def _require_whole_list(archive: zipfile.ZipFile, descriptor: int, *, archive_name: str) -> None:
    """Entry follows entry up to the directory's end.

    The library does not see that one swallows those that follow.
    """
    size_bytes = os.fstat(descriptor).st_size - archive.start_dir
    directory = os.pread(descriptor, size_bytes, archive.start_dir)
    entries = start = 0
    while directory.startswith(_ENTRY, start) and start + _LENGTHS.size <= len(directory):
        start += _LENGTHS.size + sum(_LENGTHS.unpack_from(directory, start))
        entries += 1
    is_at_end = directory.startswith(_AFTER_DIRECTORY, start)
    if not is_at_end or entries != len(archive.infolist()):
        raise reading.damaged(archive_name, "its list of members is incomplete")


def _listed(
    archive: zipfile.ZipFile, *, archive_name: str
) -> Iterator[tuple[zipfile.ZipInfo, int]]:
    """The members and where each ends, from the last to the first, if none overlap.

    Many that share one place are how a small archive unpacks to very much.
    """
    infos = sorted(archive.infolist(), key=lambda info: info.header_offset)
    # A hundred thousand of these take more memory than all else; what is done with goes.
    archive.filelist.clear()
    archive.NameToInfo.clear()
    end = archive.start_dir
    while infos:
        info = infos.pop()
        room_bytes = end - info.header_offset - _LOCAL_HEADER_BYTES
        if info.header_offset < 0 or info.compress_size > room_bytes:
            raise DamagedArchiveError(
                f"{archive_name}: {_name(info)!r} lies in the place of another member (they "
                f"overlap); damaged, or made to deceive: fetch it again, and from a source that "
                f"you trust."
            )
        yield info, end
        end = info.header_offset


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, *, archive_name: str) -> Member:
    name = reading.plain(_name(info))
    if info.flag_bits & _IS_ENCRYPTED or info.compress_type == _AES:
        raise reading.encrypted(archive_name, repr(name))
    mode = info.external_attr >> 16
    if info.orig_filename.endswith("/"):
        if info.file_size:
            raise reading.damaged(archive_name, f"the folder {name!r} has content")
        return Member(name, Kind.FOLDER)
    if stat.S_ISLNK(mode):
        return Member(name, Kind.SYMLINK, target=_target(archive, info, archive_name=archive_name))
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        raise reading.device(archive_name, name)
    return Member(name, Kind.FILE, info.file_size, "", bool(mode & stat.S_IXUSR))


def _target(archive: zipfile.ZipFile, info: zipfile.ZipInfo, *, archive_name: str) -> str:
    if info.file_size > reading.LONGEST_TARGET_BYTES:
        raise reading.damaged(
            archive_name, f"the link {info.filename!r} has a target of {info.file_size} bytes"
        )
    with naming_damage(archive_name):
        raw = archive.read(info)
    return reading.readable(raw.decode("latin-1"), raw)


def _batches(files: Sequence[PackedFile]) -> Iterator[list[PackedFile]]:
    """Neighbours together, since reading and handing over cost more than a small file."""
    batch: list[PackedFile] = []
    for file in files:
        is_long = batch and file.end - batch[0].start > _BATCH_BYTES
        if is_long or len(batch) == _BATCH_FILES:
            yield batch
            batch = []
        batch.append(file)
    if batch:
        yield batch


def _name(info: zipfile.ZipInfo) -> str:
    """The name as the archive has it; `filename` was cut and cleaned by the library."""
    name = info.orig_filename
    if info.flag_bits & IS_UTF8 or name.isascii():
        return name
    return reading.readable(name, raw_name(name, info.flag_bits))
