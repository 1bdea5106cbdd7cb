"""What every place for files can do, and the errors that only storages raise."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol, runtime_checkable

from pipeline.errors import StorageError

# Called with the bytes that moved since the last call; below zero when they have to move again.
OnBytes = Callable[[int], object]


class RefusedError(StorageError):
    """The place will not do this, however often it is asked."""

    is_passing = False


class BusyError(StorageError):
    """The place has no time for this now; asking it for less at once may help."""


class ObjectChangedError(StorageError):
    """The object is another one than the one that was begun: start over."""


class RangesRefusedError(RefusedError):
    """The place only sends the rest of an object, or cannot tell that two parts belong together."""


class Entry(NamedTuple):
    """One object: its key below the storage's root, and what tells its versions apart.

    `size_bytes` is -1 when the place does not tell it, `etag` empty likewise;
    `modified` is in seconds since 1970.
    """

    key: str
    size_bytes: int
    etag: str = ""
    modified: float | None = None


class Storage(Protocol):
    """A place for objects that have keys: a folder, a bucket, a web server.

    Writing is atomic: under a key lies a whole object or what lay there before, also
    when the writer is killed at any instant; readers never see a part of one. Nothing
    is promised about several keys together. Every error is a StorageError that says
    by `is_passing` whether trying again may help; none carries a credential.
    """

    @property
    def url(self) -> str:
        """The root that it was opened on, without credentials and query."""

    def head(self, key: str) -> Entry | None:
        """What lies under the key, or None."""

    def list(self, prefix: str = "") -> Iterator[Entry]:
        """Every object whose key starts with this text, at any depth; none is no error."""

    def get(
        self, key: str, *, start_byte: int = 0, end_byte: int | None = None, etag: str = ""
    ) -> Iterator[bytes]:
        """The object's bytes from `start_byte` on, also where the place only sends whole objects.

        With `end_byte` they end before that one, and nothing much else is transferred.

        Raises:
            ObjectChangedError: `etag` was given and the object has another one now.
            RangesRefusedError: `end_byte` was given, and the place does not know ranges.
        """

    def put(self, key: str, path: Path, *, on_bytes: OnBytes = ...) -> Entry:
        """The key holds the file as it was when this began."""

    def delete(self, key: str) -> None:
        """Nothing lies under the key; that nothing lay there is no error."""


@runtime_checkable
class BulkStorage(Storage, Protocol):
    """A storage that copies objects whole, and does that better than it sends their bytes."""

    def fetch_file(self, entry: Entry, path: Path, *, on_bytes: OnBytes = ...) -> None:
        """The object lies at `path`, of the size that the entry tells.

        A copy that fails may leave a part of it there.
        """

    def fetch_files(
        self, prefix: str, entries: Sequence[Entry], folder: Path, *, on_bytes: OnBytes
    ) -> None:
        """The objects were copied to below `folder`, which the caller has to look after.

        Each lies under its key without `prefix`, a folder's key that ends in a slash, or "".
        """


def ignore_bytes(count: int) -> None:
    """The `on_bytes` of callers who show no progress."""
    del count
