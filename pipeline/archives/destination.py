"""The folder that members are written into: each once, none through a link, none too long."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Union

from pipeline.archives.member import Contents, Kind, Member
from pipeline.disk.files import free_bytes_at, human_bytes
from pipeline.errors import ArchiveError, DamagedArchiveError, DiskFullError
from pipeline.storage import OnBytes

Chunk = Union[bytes, bytearray, memoryview]

# How much is written between two looks at the disk, and between two words of progress.
_LOOK_BYTES = 64 << 20
_TELL_BYTES = 1 << 20

_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
_NAME_ERRORS = (errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL)


class Destination:
    """An empty folder, filled by up to `workers` threads at once."""

    def __init__(self, folder: Path, *, archive: str, on_bytes: OnBytes, workers: int = 1) -> None:
        """Takes the archive's name for messages; `on_bytes` is called by one thread at a time."""
        self.folder = folder
        self.workers = workers
        self._archive = archive
        self._root = str(folder)
        self._on_bytes = on_bytes
        self._lock = threading.Lock()
        self._untold_bytes = 0
        self._room_bytes = 0
        self._made: set[str] = set()

    def require_room(self, contents: Contents) -> None:
        """The disk has room for all of this.

        Raises:
            DiskFullError: bytes or entries for files are too few.
        """
        self._require_bytes(contents.size_bytes)
        self._room_bytes = contents.size_bytes
        if not hasattr(os, "statvfs"):
            return
        disk = os.statvfs(self.folder)
        # Disks that make entries as they need them say 0 for all there are.
        if disk.f_files and contents.members > disk.f_favail:
            raise DiskFullError(
                f"{self._archive}: unpacks to {contents.members} files, but the disk has entries "
                f"(inodes) for {disk.f_favail} more in {self.folder.parent}; remove small files "
                f"there, or set another cluster.data_dir."
            )

    def reserve(self, size_bytes: int) -> None:
        """The disk has room for so much more, as far as the last look at it tells.

        Raises:
            DiskFullError: it has not.
        """
        self._room_bytes -= size_bytes
        if self._room_bytes < 0:
            self._require_bytes(size_bytes)
            self._room_bytes = _LOOK_BYTES

    def _require_bytes(self, size_bytes: int) -> None:
        free_bytes = free_bytes_at(self.folder)
        if free_bytes is not None and size_bytes > free_bytes:
            raise DiskFullError(
                f"{self._archive}: unpacks to {human_bytes(size_bytes)} more, but the disk has "
                f"{human_bytes(free_bytes)} free for {self.folder.parent}; free some of its space, "
                f"or set another cluster.data_dir."
            )

    def make_folders(self, names: Iterable[str]) -> None:
        """Folders of these names are there, and those that they lie in."""
        for name in names:
            self.make_folder(name)

    def make_folder(self, name: str) -> None:
        """A folder of this name is there; two names for one folder are refused."""
        missing = []
        while name and name not in self._made:
            missing.append(name)
            name = name.rpartition("/")[0]
        for folder in reversed(missing):
            try:
                (self.folder / folder).mkdir()
            except OSError as error:
                self._explain(error)
                raise
            self._made.add(folder)

    def create(self, member: Member) -> NewFile:
        """A new file for this member, in a folder that is there.

        Raises:
            ArchiveError: the disk takes its name for another's, or cannot hold it.
        """
        try:
            descriptor = os.open(
                f"{self._root}/{member.name}", _NEW_FILE, 0o777 if member.is_executable else 0o666
            )
        except OSError as error:
            self._explain(error)
            raise
        return NewFile(self, descriptor, member)

    def make_links(self, links: Iterable[Member]) -> None:
        """The links are there; they come last, so that nothing is written through one."""
        for link in links:
            self.make_folder(link.name.rpartition("/")[0])
            path = self.folder / link.name
            try:
                if link.kind is Kind.SYMLINK:
                    # Doubled slashes go: some readers take what follows for an absolute path.
                    path.symlink_to(PurePosixPath(link.target))
                else:
                    os.link(self.folder / link.target, path)
            except OSError as error:
                self._explain(error)
                raise

    def count(self, size_bytes: int) -> None:
        """So many bytes are written; told on in larger numbers."""
        with self._lock:
            self._untold_bytes += size_bytes
            if self._untold_bytes >= _TELL_BYTES:
                self._tell()

    def finish(self) -> None:
        """Tells what was not told yet."""
        with self._lock:
            self._tell()

    def _tell(self) -> None:
        untold_bytes, self._untold_bytes = self._untold_bytes, 0
        if untold_bytes:
            self._on_bytes(untold_bytes)

    def _explain(self, error: OSError) -> None:
        """Raises what is the archive's fault, since of its names."""
        if isinstance(error, (FileExistsError, NotADirectoryError)):
            raise ArchiveError(
                f"{self._archive}: {error.filename2 or error.filename} is there already, in a "
                f"spelling that this disk takes for the same (small and capital letters, accents); "
                f"rename one of them."
            ) from error
        if error.errno in _NAME_ERRORS:
            raise ArchiveError(
                f"{self._archive}: this disk cannot hold the name of "
                f"{error.filename2 or error.filename!r}; pack it again with shorter, plain names."
            ) from error

    def wrong_size(self, member: Member, size_bytes: int) -> ArchiveError:
        """The error that a member is not as long as its header announces."""
        more = "or more " if size_bytes > member.size_bytes else ""
        return DamagedArchiveError(
            f"{self._archive}: damaged, {member.name} gives {size_bytes} bytes {more}but its "
            f"header says {member.size_bytes}; remove the archive and fetch it again."
        )


class NewFile:
    """A file that takes exactly the bytes that its member's header announces."""

    def __init__(self, destination: Destination, descriptor: int, member: Member) -> None:
        """Takes over the descriptor."""
        self._destination = destination
        self._descriptor = descriptor
        self._member = member
        self._size_bytes = 0

    def __enter__(self) -> NewFile:
        """The file itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Closes the file; without another error it must be complete."""
        os.close(self._descriptor)
        if error is None and self._size_bytes != self._member.size_bytes:
            raise self._destination.wrong_size(self._member, self._size_bytes)

    def write(self, chunk: Chunk) -> None:
        """Adds the chunk.

        Raises:
            ArchiveError: the member gives more than it announced; the rest is not waited for.
        """
        size_bytes = len(chunk)
        self._size_bytes += size_bytes
        if self._size_bytes > self._member.size_bytes:
            raise self._destination.wrong_size(self._member, self._size_bytes)
        written = os.write(self._descriptor, chunk)
        while written < size_bytes:
            # A disk that is nearly full takes a part, and says why with the next.
            written += os.write(self._descriptor, memoryview(chunk)[written:])
        self._destination.count(size_bytes)
