"""The picture of samples shows mistakes first, whatever the images are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.report import samples


def colours(path: Path) -> set[tuple[int, int, int]]:
    """The colours a picture has."""
    with Image.open(path) as picture:
        return {colour for _, colour in picture.convert("RGB").getcolors(1 << 24)}


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("count", [1, 7, 50])
def test_any_number_of_samples_makes_a_picture(tmp_path: Path, channels: int, count: int):
    """Grey or colour, few or more than fit: a grid of at most five rows of eight."""
    images = np.random.default_rng(1).normal(size=(count, channels, 9, 9)).astype(np.float32)
    numbers, certain = np.arange(count) % 10, np.linspace(0.2, 1, count)

    samples.draw(images, numbers, certain, numbers, tmp_path / "picture.png")

    with Image.open(tmp_path / "picture.png") as picture:
        tile = samples.TILE_PX + samples.GAP_PX
        rows = min(-(-count // 8), 5)
        assert picture.width == min(count, 8) * tile + samples.GAP_PX
        assert picture.height == rows * (tile + samples.CAPTION_PX) + samples.GAP_PX


def test_a_mistake_is_framed_and_comes_first(tmp_path: Path):
    """The first tile is the wrong one, although it stood last and was certain."""
    images = np.zeros((12, 1, 8, 8), np.float32)
    predicted, labels = np.zeros(12, int), np.zeros(12, int)
    labels[11] = 1

    samples.draw(images, predicted, np.linspace(0.1, 1, 12), labels, tmp_path / "picture.png")

    with Image.open(tmp_path / "picture.png") as picture:
        pixel = picture.getpixel((samples.GAP_PX - 2, samples.GAP_PX + 20))
    assert pixel == (0xB4, 0x23, 0x18)


def test_without_labels_nothing_is_wrong(tmp_path: Path):
    """A flat image and no labels make a picture without the colour of mistakes."""
    path = tmp_path / "picture.png"

    samples.draw(np.ones((3, 1, 8, 8), np.float32), np.arange(3), np.ones(3), None, path)

    assert (0xB4, 0x23, 0x18) not in colours(path)
