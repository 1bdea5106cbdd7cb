"""CIFAR-10's binary files become normalised images; anything else is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.datasets import cifar10
from pipeline.errors import DatasetError
from tests.datasets.images import make_cifar10


@pytest.mark.parametrize("top", ["", "cifar-10-batches-bin", "a/b"])
def test_a_split_is_read_in_the_order_of_its_files(tmp_path: Path, top: str) -> None:
    """At the root or below it, the training files one after the other."""
    written = make_cifar10(tmp_path / top, images=4)

    train, test = (cifar10.load([tmp_path], split) for split in ("train", "test"))

    assert train.labels.tolist() == [record[0] for record in written["train"]]
    assert test.labels.tolist() == [record[0] for record in written["test"]]
    assert (len(train), len(test)) == (20, 4)
    assert train.inputs[0].shape == (20, 3, 32, 32)
    assert (train.inputs[0].dtype, train.labels.dtype) == (np.float32, np.int32)


def test_pixels_are_normalised_by_channel(tmp_path: Path) -> None:
    """Each plane with its own mean and deviation, rows and columns where they were."""
    record = make_cifar10(tmp_path, images=1)["test"][0]
    planes = record[1:].reshape(3, 32, 32) / 255

    (image,) = cifar10.load([tmp_path], "test").inputs[0]

    for channel in range(3):
        wanted = (planes[channel] - cifar10.MEAN[channel]) / cifar10.DEVIATION[channel]
        np.testing.assert_allclose(image[channel], wanted, atol=1e-5)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """Four of five files are no training set, and what there is instead is told."""
    make_cifar10(tmp_path, images=1)
    (tmp_path / "data_batch_3.bin").rename(tmp_path / "data_batch_3")

    with pytest.raises(DatasetError, match=r"data_batch_3\.bin .* found 6 files: .*Python"):
        cifar10.load([tmp_path], "train")
    assert len(cifar10.load([tmp_path], "test")) == 1


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "has 0 bytes"),
        (b"\0" * 3072, "has 3072 bytes; expected a multiple of 3073"),
        (b"\0" * 3073 + b"\x0a" + b"\0" * 3072, "has a label 10; expected less than 10"),
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, content: bytes, problem: str) -> None:
    """Its size or its labels give it away."""
    (tmp_path / "test_batch.bin").write_bytes(content)

    with pytest.raises(DatasetError, match=f"test_batch.bin {problem}"):
        cifar10.load([tmp_path], "test")


def test_a_split_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    """The message says which there are."""
    with pytest.raises(DatasetError, match="'val'; expected 'train' or 'test'"):
        cifar10.load([tmp_path], "val")
