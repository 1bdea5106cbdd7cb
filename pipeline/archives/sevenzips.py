"""7z archives, where the library for them is installed."""

from __future__ import annotations

import contextlib
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.archives import reading
from pipeline.archives.destination import Chunk, Destination, NewFile
from pipeline.archives.member import Kind, Member
from pipeline.archives.reading import naming_damage
from pipeline.archives.rules import Rules
from pipeline.errors import DependencyError

# What the library falls over in archives that were made to deceive: their headers' checksums fit.
_SURPRISES = (ArithmeticError, AssertionError, AttributeError, MemoryError, TypeError)


def unpack(path: Path, rules: Rules, destination: Destination) -> None:
    """Every member is in the destination, if the rules admit them all.

    Raises:
        ArchiveError: the archive is damaged, locked or against the rules.
        DependencyError: the library is missing.
    """
    library = _library(path)
    with path.open("rb") as file, contextlib.ExitStack() as closing:
        with _naming_damage(path.name, library):
            # An open file, since with a path it would start a thread for every block.
            archive = closing.enter_context(library.SevenZipFile(file))
            if archive.needs_password():
                raise reading.encrypted(path.name, "it")
            members = [_member(listed, archive=path.name) for listed in archive.files]
        members = [member for member in members if rules.admit(member)]
        destination.require_room(rules.finish())
        destination.make_folders(sorted(rules.folders))
        arriving = closing.enter_context(_Arriving(members, destination, archive=path.name))
        with _naming_damage(path.name, library):
            archive.extractall(destination.folder.absolute(), factory=arriving)
    links = arriving.links()
    for link in links:
        rules.admit_link(link)
    destination.make_links(links)


@contextlib.contextmanager
def _naming_damage(archive: str, library: Any) -> Iterator[None]:
    try:
        with naming_damage(archive, *_SURPRISES):
            yield
    except library.exceptions.PasswordRequired as error:
        raise reading.encrypted(archive, "the list of names") from error
    except library.exceptions.UnsupportedCompressionMethodError as error:
        raise reading.packed_oddly(archive, str(error)) from error
    except library.exceptions.ArchiveError as error:
        raise reading.damaged(archive, f"{type(error).__name__}: {error}") from error


def _library(path: Path) -> Any:
    try:
        import py7zr
        import py7zr.exceptions
        from py7zr.io import WriterFactory  # noqa: F401 - what older ones lack
    except ImportError as error:
        raise DependencyError(
            f"{path.name}: is a 7z archive, and the library for it is missing or older than 1.0; "
            f"pip install 'py7zr>=1.0', or pack it as zip or tar.gz."
        ) from error
    return py7zr


def _member(listed: Any, *, archive: str) -> Member:
    name = reading.plain(listed.filename)
    if listed.is_symlink:
        return Member(name, Kind.SYMLINK)
    if listed.is_directory:
        return Member(name, Kind.FOLDER)
    if listed.is_junction or listed.st_fmt not in (None, 0, stat.S_IFREG):
        raise reading.device(archive, name)
    size_bytes = listed.uncompressed or 0
    if size_bytes and listed.crc32 is None:
        raise reading.damaged(archive, f"{name} has no checksum")
    is_executable = bool((listed.posix_mode or 0) & stat.S_IXUSR)
    return Member(name, Kind.FILE, size_bytes, "", is_executable)


class _Arriving:
    """Takes one member after the other from the library; it compares their checksums."""

    def __init__(self, members: list[Member], destination: Destination, *, archive: str) -> None:
        """Expects every file and link among the members."""
        wanted = [member for member in members if member.kind is not Kind.FOLDER]
        # The library names each by the place where it would write it.
        folder = destination.folder.absolute()
        self._wanted = {(folder / member.name).as_posix(): member for member in wanted}
        self._destination = destination
        self._archive = archive
        self._links: list[tuple[Member, _Target]] = []
        self._open = contextlib.ExitStack()

    def __enter__(self) -> _Arriving:
        """The object itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """Closes what is open; its size counts only where nothing else went wrong."""
        if error[0] is None:
            self._open.close()
        else:
            self._open.__exit__(*error)  # type: ignore[arg-type]

    def create(self, name: str) -> _Content | _Target:
        """Where the library puts the member that it reads next."""
        self._open.close()
        member = self._wanted.pop(name, None)
        if member is None:
            raise reading.damaged(self._archive, f"{name} is not in its list")
        if member.kind is Kind.SYMLINK:
            target = _Target(self._archive)
            self._links.append((member, target))
            return target
        return _Content(self._open.enter_context(self._destination.create(member)))

    def links(self) -> list[Member]:
        """The links with their targets, once all members have come.

        Raises:
            ArchiveError: some did not come.
        """
        if self._wanted:
            raise reading.damaged(self._archive, f"{len(self._wanted)} members are missing")
        return [member._replace(target=str(target)) for member, target in self._links]


class _Sink:
    """What the library calls on any file, though it only writes."""

    def read(self, size: int | None = None) -> bytes:
        """Nothing: what is written is gone."""
        del size
        return b""

    def seek(self, offset: int, whence: int = 0) -> int:
        """The library goes to the beginning when it has written all."""
        del offset, whence
        return 0

    def flush(self) -> None:
        """Nothing is kept back."""

    def close(self) -> None:
        """The next member or the end closes the file."""


class _Content(_Sink):
    """The content of a file."""

    def __init__(self, file: NewFile) -> None:
        self._file = file
        self._size_bytes = 0

    def write(self, chunk: Chunk) -> int:
        """Writes it on."""
        self._file.write(chunk)
        self._size_bytes += len(chunk)
        return len(chunk)

    def size(self) -> int:
        """How much was written."""
        return self._size_bytes


class _Target(_Sink):
    """The content of a link: the path that it points to."""

    def __init__(self, archive: str) -> None:
        self._archive = archive
        self._content = bytearray()

    def write(self, chunk: Chunk) -> int:
        """Keeps it, unless it is longer than paths are."""
        self._content += chunk
        if len(self._content) > reading.LONGEST_TARGET_BYTES:
            raise reading.damaged(self._archive, "a link's target is too long")
        return len(chunk)

    def size(self) -> int:
        """How much was written."""
        return len(self._content)

    def __str__(self) -> str:
        """The path."""
        raw = bytes(self._content)
        return reading.readable(raw.decode("latin-1"), raw)
