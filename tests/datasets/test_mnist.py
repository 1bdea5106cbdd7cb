"""The MNIST layout is found wherever it lies, and prepared as the official sample does."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.datasets import idx, mnist
from pipeline.errors import DatasetError

IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"


def lay(folder: Path, labels: list[int], *, images: int | None = None) -> Path:
    """Writes a training split of 4x4 images under the folder."""
    train = folder / "train"
    train.mkdir(parents=True)
    count = len(labels) if images is None else images
    grey = np.arange(count * 16, dtype=np.uint8).reshape(count, 4, 4)
    idx.write(train / IMAGES, grey)
    idx.write(train / LABELS, np.array(labels, dtype=np.uint8))
    return folder


@pytest.mark.parametrize("below", [".", "MNISTData", "a/b/c"])
def test_the_layout_is_found_at_any_depth(tmp_path: Path, below: str):
    """The root of a folder or anything below it may hold train/ and test/."""
    lay(tmp_path / below, [3, 1])

    arrays = mnist.load([tmp_path], "train", size=4)

    assert list(arrays.columns) == ["image", "label"]
    assert arrays.labels.tolist() == [3, 1]
    assert arrays.labels.dtype == np.int32


def test_the_shallowest_wins_whatever_the_order(tmp_path: Path):
    """A layout near a root is preferred to deeper ones, in later folders too."""
    lay(tmp_path / "first" / "a" / "b", [1])
    lay(tmp_path / "second" / "z", [2])

    assert mnist.load([tmp_path / "first", tmp_path / "second"], "train", size=4).labels == [2]


def test_of_equals_the_first_folder_wins_then_the_name(tmp_path: Path):
    """The choice never depends on the order of a directory listing."""
    lay(tmp_path / "b" / "x", [1])
    lay(tmp_path / "a" / "y", [2])
    lay(tmp_path / "a" / "x", [3])

    assert mnist.load([tmp_path / "b", tmp_path / "a"], "train", size=4).labels == [1]
    assert mnist.load([tmp_path / "a", tmp_path / "b"], "train", size=4).labels == [3]


def test_packed_members_will_do(tmp_path: Path):
    """The official files may still be gzipped."""
    lay(tmp_path, [5])
    for path in list((tmp_path / "train").iterdir()):
        path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()

    assert mnist.load([tmp_path], "train", size=4).labels == [5]


def test_private_folders_and_looping_links_are_passed_over(tmp_path: Path):
    """What an archiver left behind is no data, and a link to a parent ends the walk."""
    lay(tmp_path / "__MACOSX", [1])
    (tmp_path / "loop").symlink_to(tmp_path, target_is_directory=True)

    with pytest.raises(DatasetError):
        mnist.load([tmp_path], "train", size=4)


def test_what_is_missing_and_what_is_there_are_named(tmp_path: Path):
    """The message says what was looked for, where, and some of what was found."""
    for name in "abcdefg":
        (tmp_path / f"{name}.jpg").touch()

    with pytest.raises(DatasetError, match=r"test/t10k-images.*7 files: a\.jpg.*, …") as refusal:
        mnist.load([tmp_path, tmp_path / "gone"], "test", size=4)

    assert "remove that folder and start again" in str(refusal.value)


def test_files_that_do_not_belong_together_are_refused(tmp_path: Path):
    """Images and labels of different number are named with their shapes."""
    lay(tmp_path, [1, 2, 3], images=2)

    with pytest.raises(DatasetError, match=r"\(2, 4, 4\).*\(3,\)"):
        mnist.load([tmp_path], "train", size=4)


def test_an_unknown_split_is_refused(tmp_path: Path):
    """Only train and test exist."""
    with pytest.raises(DatasetError, match="'validation'"):
        mnist.load([tmp_path], "validation", size=4)


def test_images_are_normalised_as_in_the_official_sample(tmp_path: Path):
    """Grey levels become (grey / 255 - 0.1307) / 0.3081, in one channel."""
    lay(tmp_path, [0, 1])

    image = mnist.load([tmp_path], "train", size=4).inputs[0]

    expected = (np.arange(32).reshape(2, 1, 4, 4) / 255 - 0.1307) / 0.3081
    np.testing.assert_allclose(image, expected, atol=1e-6)
    assert image.dtype == np.float32


@pytest.mark.parametrize(("old", "new"), [(28, 32), (8, 32), (8, 8), (1, 4), (3, 7)])
def test_resizing_agrees_with_pillow(old: int, new: int):
    """Enlarging is bilinear by pixel centres, to the last bits of a float."""
    images = np.random.default_rng(1).integers(0, 256, (3, old, old)).astype(np.uint8)

    resized = mnist.resize(images, new)

    for image, ours in zip(images, resized):
        floats = Image.fromarray(image.astype(np.float32))
        theirs = np.asarray(floats.resize((new, new), Image.Resampling.BILINEAR))
        np.testing.assert_allclose(ours, theirs, atol=1e-3)
