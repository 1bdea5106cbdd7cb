"""What every kind of archive can be asked."""

from __future__ import annotations

import contextlib
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Protocol

from pipeline.archives.member import Member
from pipeline.errors import ArchiveError

CHUNK_BYTES = 1 << 20

# Whatever the standard library's readers raise on damaged archives, found by damaging some.
_DAMAGE = (
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    ValueError,
    lzma.LZMAError,
    struct.error,
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
)


class Reader(Protocol):
    """An open archive."""

    def __enter__(self) -> Reader:
        """The reader itself."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Closes the archive."""

    def members(self) -> Iterator[Member]:
        """Every member in the order of the archive, from its headers.

        Raises:
            ArchiveError: the archive is damaged, locked, or holds what is no file.
        """

    def chunks(self, member: Member) -> Iterator[bytes]:
        """A file's content; members are read in the order of the archive.

        Raises:
            ArchiveError: the content is damaged, as its checksum tells.
        """


@contextlib.contextmanager
def naming_damage(path: Path) -> Iterator[None]:
    """Turns whatever a damaged archive makes its reader raise into one error."""
    try:
        yield
    except ArchiveError:
        raise
    except NotImplementedError as error:
        raise ArchiveError(
            f"{path.name}: packed in a way that is not unpacked here ({error}); "
            f"use zip with deflate, or tar.gz."
        ) from error
    except _DAMAGE as error:
        raise ArchiveError(
            f"{path.name}: damaged or cut short ({type(error).__name__}: {error}); "
            f"remove it and fetch it again."
        ) from error


def plain(name: str) -> str:
    """The name without the leading "./" and final "/" that packers add."""
    return (name[2:] if name.startswith("./") else name).rstrip("/")


def readable(name: str, raw: bytes) -> str:
    """The member's name, from bytes of an encoding that the archive does not tell.

    Chinese Windows packs names in GBK; others that tell nothing mean UTF-8.
    """
    for encoding in ("utf-8", "gb18030"):
        with contextlib.suppress(UnicodeDecodeError):
            return raw.decode(encoding)
    return name
