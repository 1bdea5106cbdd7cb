"""Whether two checkpoint files hold the same state."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("mindspore")

import mindspore
import numpy as np
from mindspore import Parameter, Tensor

from pipeline.errors import CheckpointError
from pipeline.training import equality, parameters

pytestmark = pytest.mark.mindspore


def saved(path: Path, *, epoch: int = 1, **arrays: np.ndarray) -> Path:
    """A checkpoint with these parameters."""
    found = [Parameter(Tensor(array), name=name) for name, array in arrays.items()]
    parameters.write(path, found, {"epoch": epoch})
    return path


def test_equal_parameters_are_the_same_state(tmp_path: Path) -> None:
    """Also where files differ, for one holds what an epoch took; a NaN is equal to itself."""
    weights = np.array([1.0, np.nan], np.float32)
    first = saved(tmp_path / "a.ckpt", w=weights, progress=np.array([1], np.uint8))
    again = saved(tmp_path / "b.ckpt", w=weights, progress=np.array([2], np.uint8))

    assert equality.differing(first, again) == []


def test_each_other_parameter_is_named(tmp_path: Path) -> None:
    """By its bits, shape and type, or because only one file has it."""
    one = np.ones(2, np.float32)
    first = saved(tmp_path / "a.ckpt", bits=one, kind=one, shape=one, gone=one, same=one)
    again = saved(
        tmp_path / "b.ckpt",
        epoch=2,
        bits=np.nextafter(one, 2, dtype=np.float32),
        kind=one.astype(np.float16),
        shape=one.reshape(1, 2),
        same=one,
        new=one,
    )

    expected = ["bits", "epoch", "gone", "kind", "new", "shape"]
    assert equality.differing(first, again) == expected


def test_a_type_that_numpy_lacks_is_compared_too(tmp_path: Path) -> None:
    """bfloat16, by the float32 that each of its values is."""
    value = Tensor(np.ones(2, np.float32)).astype(mindspore.bfloat16)
    paths = [tmp_path / "a.ckpt", tmp_path / "b.ckpt"]
    for path in paths:
        parameters.write(path, [Parameter(value, name="w")], {"epoch": 1})

    assert equality.differing(*paths) == []


def test_a_damaged_file_is_no_verdict(tmp_path: Path) -> None:
    """It is an error of its own."""
    first = saved(tmp_path / "a.ckpt", w=np.ones(1, np.float32))
    (tmp_path / "b.ckpt").write_bytes(b"damaged")

    with pytest.raises(CheckpointError):
        equality.differing(first, tmp_path / "b.ckpt")
