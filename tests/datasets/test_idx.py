"""IDX files come back as they were written, and no damage passes unnoticed."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.datasets import idx
from pipeline.errors import DatasetError

WHOLE = idx.encode(np.arange(24, dtype=np.uint8).reshape(2, 3, 4))

ARRAYS = st.builds(
    lambda shape, name: np.arange(np.prod(shape), dtype=np.int64).reshape(shape).astype(name),
    st.lists(st.integers(0, 4), min_size=1, max_size=4).map(tuple),
    st.sampled_from(["uint8", "int8", "int16", "int32", "float32", "float64"]),
)


@given(array=ARRAYS)
def test_what_was_written_is_read(tmp_path_factory: pytest.TempPathFactory, array: np.ndarray):
    """Every number type and shape comes back, in native byte order."""
    path = tmp_path_factory.getbasetemp() / "round.idx"

    idx.write(path, array)

    np.testing.assert_array_equal(idx.read(path), array)
    assert idx.read(path).dtype == array.dtype


def test_a_gzipped_file_is_unpacked(tmp_path: Path):
    """The official files may stay packed."""
    path = tmp_path / "images.gz"
    path.write_bytes(gzip.compress(WHOLE, mtime=0))

    assert idx.read(path).shape == (2, 3, 4)


@pytest.mark.parametrize("length", range(len(WHOLE)))
def test_a_cut_file_is_refused(tmp_path: Path, length: int):
    """Wherever a file ends too early, the error names it."""
    path = tmp_path / "cut"
    path.write_bytes(WHOLE[:length])

    with pytest.raises(DatasetError, match="cut"):
        idx.read(path)


@pytest.mark.parametrize("content", [WHOLE + b"x", b"PK\3\4" + WHOLE, b"\0\0\7\1\0\0\0\0"])
def test_what_is_not_idx_is_refused(tmp_path: Path, content: bytes):
    """Bytes to spare, another format and an unknown number type are errors."""
    path = tmp_path / "strange"
    path.write_bytes(content)

    with pytest.raises(DatasetError, match="strange"):
        idx.read(path)


def test_a_header_that_promises_terabytes_asks_for_no_memory(tmp_path: Path):
    """The size in a damaged header is compared, not believed."""
    path = tmp_path / "huge"
    path.write_bytes(b"\0\0\x08\x03" + b"\xff" * 12 + b"few bytes")

    with pytest.raises(DatasetError, match="only 9"):
        idx.read(path)


@pytest.mark.parametrize(
    "content", [gzip.compress(WHOLE, mtime=0)[:-12], b"not gzip", b"\x1f\x8b\x08"]
)
def test_a_damaged_gzip_file_is_refused(tmp_path: Path, content: bytes):
    """A packed file that is cut or is none is named as damaged."""
    path = tmp_path / "images.gz"
    path.write_bytes(content)

    with pytest.raises(DatasetError, match=r"images\.gz"):
        idx.read(path)


def test_a_type_without_a_code_is_refused():
    """IDX knows no complex numbers, and says what it knows."""
    with pytest.raises(DatasetError, match=r"complex64.*uint8"):
        idx.encode(np.zeros(2, np.complex64))
