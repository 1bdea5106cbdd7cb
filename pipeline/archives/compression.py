"""Undoing compression, with the fastest library that is installed."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from pipeline.errors import DependencyError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

try:
    from isal import igzip, isal_zlib
except ImportError:
    inflater: Any = zlib
    _open_gzip: Any = gzip.open
else:
    inflater = isal_zlib
    _open_gzip = igzip.open

INFLATE_ERRORS: tuple[type[Exception], ...] = (zlib.error, inflater.error)

# So little at once, because one byte of Zstandard may become thirty thousand.
_ZSTANDARD_BYTES = 2048

Opener = Callable[[Path], IO[bytes]]


def open_zstandard(path: Path) -> IO[bytes]:
    """What a file holds that was compressed with Zstandard, frame after frame.

    Raises:
        DependencyError: the library for it is missing.
    """
    try:
        import zstandard
    except ImportError as error:
        raise DependencyError(
            f"{path.name}: is compressed with Zstandard, and the library for it is missing; "
            f"pip install zstandard, or pack it as tar.gz."
        ) from error
    new_frame = zstandard.ZstdDecompressor().decompressobj
    frames = _Frames(path.open("rb"), new_frame, zstandard.ZstdError)
    return cast("IO[bytes]", io.BufferedReader(frames, 1 << 20))


def open_plain(path: Path) -> IO[bytes]:
    """What a file holds that is not compressed."""
    return path.open("rb")


_OPENERS: tuple[tuple[bytes, Opener], ...] = (
    (b"\x1f\x8b", cast("Opener", _open_gzip)),
    (b"BZh", cast("Opener", bz2.open)),
    (b"\xfd7zXZ\x00", cast("Opener", lzma.open)),
    (b"\x28\xb5\x2f\xfd", open_zstandard),
)


def opener(head: bytes) -> Opener | None:
    """What undoes the compression of a file that starts like this."""
    return next((found for magic, found in _OPENERS if head.startswith(magic)), None)


class _Frames(io.RawIOBase):
    """One frame of Zstandard after the other; a frame that lacks its end is an error.

    The library's own reader takes the end of the file for the end of the frame.
    """

    def __init__(
        self, file: IO[bytes], new_frame: Callable[[], Any], damage: type[Exception]
    ) -> None:
        """Takes over the file; `damage` is what a frame raises."""
        self._file = file
        self._new_frame = new_frame
        self._damage = damage
        self._frame: Any = None
        self._packed = b""
        self._ready = memoryview(b"")

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Fills a part of the buffer; 0 is the end."""
        while not self._ready:
            self._packed = self._packed or self._file.read(_ZSTANDARD_BYTES)
            if not self._packed:
                if self._frame is not None:
                    raise EOFError("a frame of Zstandard ends too early")
                return 0
            self._unpack()
        target = memoryview(buffer).cast("B")
        count = min(len(target), len(self._ready))
        target[:count] = self._ready[:count]
        self._ready = self._ready[count:]
        return count

    def _unpack(self) -> None:
        frame = self._frame or self._new_frame()
        try:
            self._ready = memoryview(frame.decompress(self._packed))
        except self._damage as error:
            raise ValueError(f"Zstandard: {error}") from error
        self._packed = frame.unused_data if frame.eof else b""
        self._frame = None if frame.eof else frame

    def close(self) -> None:
        """Closes the file too."""
        self._file.close()
        super().close()
