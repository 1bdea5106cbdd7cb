"""IDX files, the format of MNIST: a magic number, the dimensions, then the numbers."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from pipeline.errors import DatasetError

if TYPE_CHECKING:
    from pipeline.data import Array

_DTYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_CODES = {np.dtype(name).newbyteorder("="): code for code, name in _DTYPES.items()}
_CHUNK_BYTES = 1 << 20


def read(path: Path) -> Array:
    """The array an IDX file holds, in native byte order; a name ending in `.gz` is unpacked.

    Raises:
        DatasetError: the file is no IDX file, or shorter or longer than its header says.
    """
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            return _parse(file, path)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DatasetError(
            f"{path}: damaged gzip file ({error}); expected a whole one. Fetch it again."
        ) from error


def encode(array: Array) -> bytes:
    """The array as the bytes of an IDX file.

    >>> encode(np.array([7, 9], dtype=np.uint8)).hex(" ")
    '00 00 08 01 00 00 00 02 07 09'

    Raises:
        DatasetError: IDX has no such number type.
    """
    code = _CODES.get(array.dtype.newbyteorder("="))
    if code is None:
        names = ", ".join(dtype.name for dtype in _CODES)
        raise DatasetError(
            f"IDX files cannot hold {array.dtype}; expected one of {names}. Convert the array."
        )
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, code, array.ndim, *array.shape)
    return header + array.astype(_DTYPES[code]).tobytes()


def write(path: Path, array: Array) -> None:
    """The file holds the array as IDX.

    Raises:
        DatasetError: IDX has no such number type.
    """
    path.write_bytes(encode(array))


def _parse(file: BinaryIO | gzip.GzipFile, path: Path) -> Array:
    magic = file.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in _DTYPES:
        raise DatasetError(
            f"{path}: starts with {magic.hex(' ') or 'nothing'}, which is not IDX; expected 00 00, "
            f"a type code and the number of dimensions. Is it the file it is named for?"
        )
    sizes = file.read(4 * magic[3])
    if len(sizes) < 4 * magic[3]:
        raise DatasetError(
            f"{path}: ends within its header; expected a whole file. Fetch it again."
        )
    shape = struct.unpack(f">{magic[3]}I", sizes)
    dtype = np.dtype(_DTYPES[magic[2]])
    expected_bytes = math.prod(shape) * dtype.itemsize
    data = _read_at_most(file, expected_bytes + 1)
    if len(data) != expected_bytes:
        found = f"only {len(data)}" if len(data) < expected_bytes else "more"
        raise DatasetError(
            f"{path}: the header says shape {shape}, that is {expected_bytes} bytes, but {found} "
            f"follow; expected a whole file. Fetch it again."
        )
    return np.frombuffer(data, dtype).reshape(shape).astype(dtype.newbyteorder("="), copy=False)


def _read_at_most(file: BinaryIO | gzip.GzipFile, limit_bytes: int) -> bytes:
    # In chunks, so that a damaged header cannot ask for more memory than the file has bytes.
    chunks = []
    while limit_bytes > 0 and (chunk := file.read(min(limit_bytes, _CHUNK_BYTES))):
        chunks.append(chunk)
        limit_bytes -= len(chunk)
    return b"".join(chunks)
