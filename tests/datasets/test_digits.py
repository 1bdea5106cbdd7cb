"""The shipped digits are whole, in the MNIST layout, and can be made again."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from pipeline.datasets import mnist
from pipeline.datasets.digits import make_digits


@pytest.mark.parametrize(("split", "count"), [("train", 1437), ("test", 360)])
def test_the_shipped_archive_loads(tmp_path: Path, split: str, count: int):
    """Both splits have all ten digits, enlarged to what LeNet-5 takes."""
    with zipfile.ZipFile(make_digits.ZIP_PATH) as archive:
        archive.extractall(tmp_path)

    arrays = mnist.load([tmp_path], split, size=32)

    assert arrays.inputs[0].shape == (count, 1, 32, 32)
    assert np.bincount(arrays.labels).min() > count / 20


@pytest.mark.slow
@pytest.mark.filterwarnings("default::DeprecationWarning")
def test_the_script_makes_the_very_members():
    """digits.zip holds what its script says, byte for byte; deflate may differ between versions."""
    pytest.importorskip("sklearn")

    made = members_of(io.BytesIO(make_digits.make()))

    assert made == members_of(make_digits.ZIP_PATH)
    assert make_digits.ZIP_PATH.stat().st_size < 60_000


def members_of(source: io.BytesIO | Path) -> dict[str, bytes]:
    """The content of every member, by name."""
    with zipfile.ZipFile(source) as archive:
        return {name: archive.read(name) for name in archive.namelist()}
