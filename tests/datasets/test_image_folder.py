"""Folders of images become one split: found where they lie, cut to one size, bounded in memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.datasets import image_folder
from pipeline.errors import DatasetError


def make_images(folder: Path, *, top: str = "", suffix: str = "png") -> Path:
    """Two classes with two and one image; the first class is black, the second white."""
    for split in ("train", "val"):
        for name, grey, count in (("n01", 0, 2), ("n02", 255, 1)):
            place = folder / top / split / name
            place.mkdir(parents=True)
            for number in range(count):
                Image.new("RGB", (40 + number, 30), (grey,) * 3).save(place / f"{number}.{suffix}")
    return folder


@pytest.mark.parametrize(("top", "suffix"), [("", "png"), ("imagenet", "JPEG")])
def test_a_split_is_read(tmp_path: Path, top: str, suffix: str) -> None:
    """With and without a top folder; val is the test split; labels follow the folders' names."""
    folder = make_images(tmp_path, top=top, suffix=suffix)

    train, test = (image_folder.load([folder], s, size=16) for s in ("train", "test"))

    assert train.inputs[0].shape == test.inputs[0].shape == (3, 3, 16, 16)
    assert train.labels.tolist() == [0, 0, 1]
    assert train.inputs[0].dtype == np.float32
    assert train.inputs[0][0].max() < 0 < train.inputs[0][2].min()


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    """What was looked for, and what lies there instead."""
    (tmp_path / "pictures").mkdir()

    with pytest.raises(DatasetError, match=r"no train/ .* there is: pictures"):
        image_folder.load([tmp_path], "train", size=8)


def test_more_than_memory_holds_is_refused(tmp_path: Path) -> None:
    """Before the first image is read, with the numbers and the key to turn."""
    folder = make_images(tmp_path)

    with pytest.raises(DatasetError, match=r"3 images of 16x16 .*largest_bytes"):
        image_folder.load([folder], "train", size=16, largest_bytes=1000)


def test_a_damaged_image_is_named(tmp_path: Path) -> None:
    """A file that only looks like an image."""
    folder = make_images(tmp_path)
    (folder / "train" / "n01" / "0.png").write_bytes(b"no image")

    with pytest.raises(DatasetError, match=r"0\.png: not an image"):
        image_folder.load([folder], "train", size=8)
