"""What readers of all kinds of archives share: damage becomes one error, bytes become names."""

from __future__ import annotations

import contextlib
import errno
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator

from pipeline.archives.compression import INFLATE_ERRORS
from pipeline.errors import ArchiveError, DamagedArchiveError, MindRunError

CHUNK_BYTES = 1 << 20

# A link's target is a path; the content of a longer one is no target.
LONGEST_TARGET_BYTES = 4096

# Whatever the readers raise on damaged archives, found by damaging some.
_DAMAGE: tuple[type[Exception], ...] = (
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
    *INFLATE_ERRORS,
)


@contextlib.contextmanager
def naming_damage(archive: str, *more: type[Exception]) -> Iterator[None]:
    """Turns whatever a damaged archive makes its reader raise into one error.

    What the disk answers is none: a full one is no damage. `more` are a library's own.
    """
    try:
        yield
    except MindRunError:
        raise
    except NotImplementedError as error:
        raise packed_oddly(archive, str(error)) from error
    except (*_DAMAGE, *more) as error:
        # With another number it is the disk that speaks, and not a library about content.
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise
        raise damaged(archive, f"{type(error).__name__}: {error}") from error


def damaged(archive: str, why: str) -> DamagedArchiveError:
    """The error that says so."""
    return DamagedArchiveError(
        f"{archive}: damaged or cut short ({why}); remove it and fetch it again."
    )


def encrypted(archive: str, name: str) -> ArchiveError:
    """The error for what only a password opens."""
    return ArchiveError(
        f"{archive}: {name} is encrypted with a password; unpack it by hand and pack it again "
        f"without one."
    )


def packed_oddly(archive: str, why: str) -> ArchiveError:
    """The error for a method of packing that nothing here undoes."""
    return ArchiveError(
        f"{archive}: packed in a way that is not unpacked here ({why}); "
        f"use zip with deflate, or tar.gz."
    )


def device(archive: str, name: str) -> ArchiveError:
    """The error for a member that is no file, folder or link."""
    return ArchiveError(
        f"{archive}: {name!r} is a device or pipe; only files, folders and links are unpacked. "
        f"Nothing is left of what was unpacked."
    )


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
