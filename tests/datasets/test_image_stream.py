"""ImageNet's layout as a stream: order, labels, what is random, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.data import Share
from pipeline.errors import DatasetError
from tests.datasets.images import make_image_folders

pytestmark = pytest.mark.mindspore

IMAGES = 9


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes with nine images each, for training and for measuring."""
    folder = tmp_path_factory.mktemp("imagenet")
    make_image_folders(folder, images=IMAGES)
    return folder


def batches(folder: Path, share: Share, split: str = "train", workers: int = 2) -> list[list]:
    """Images and labels of each batch of the share."""
    from pipeline.datasets import image_stream

    stream = image_stream.load([folder], split, size=16, workers=workers)
    opened = stream.open(share)
    return list(opened.create_tuple_iterator(num_epochs=1, output_numpy=True))


def test_a_split_is_counted_and_described(folder: Path):
    """The stream knows its samples, columns and classes before it is opened."""
    from pipeline.datasets import image_stream

    stream = image_stream.load([folder], "test", size=16, workers=1)

    assert (len(stream), stream.columns, stream.classes) == (18, ("image", "label"), 2)


def test_samples_come_in_the_order_asked_for(folder: Path):
    """Labels are the places of the training folders' names; the last batch may be short."""
    found = batches(folder, Share([17, 0, 9, 8, 3], 2, None), "test")

    assert [batch[1].tolist() for batch in found] == [[1, 0], [1, 0], [0]]
    assert [batch[0].shape for batch in found] == [(2, 3, 16, 16), (2, 3, 16, 16), (1, 3, 16, 16)]
    assert (found[0][0].dtype, found[0][1].dtype) == (np.float32, np.int32)


def test_measuring_takes_the_normalised_middle(tmp_path: Path):
    """An image of one colour has ImageNet's normalisation of it in every pixel."""
    from PIL import Image

    place = tmp_path / "train" / "red"
    place.mkdir(parents=True)
    Image.new("RGB", (40, 30), (255, 0, 0)).save(place / "a.png")

    ((image, _),) = batches(tmp_path, Share([0], 1, None))

    wanted = [(1 - 0.485) / 0.229, -0.456 / 0.224, -0.406 / 0.225]
    np.testing.assert_allclose(image[0].mean((1, 2)), wanted, atol=0.02)


@pytest.mark.parametrize("workers", [1, 4])
def test_the_same_share_gives_the_same_batches(folder: Path, workers: int):
    """Random cuts and mirroring follow from the seed alone; another seed cuts otherwise."""
    order = [int(i) for i in np.random.default_rng(3).permutation(2 * IMAGES)]

    first, again, other = (
        np.concatenate([b[0] for b in batches(folder, Share(order, 4, seed), workers=workers)])
        for seed in (5, 5, 6)
    )

    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_files_are_counted_in_the_order_of_their_names(tmp_path: Path):
    """Whatever order the disk lists them in: an index means the same image on every machine."""
    from PIL import Image

    place = tmp_path / "train" / "only"
    place.mkdir(parents=True)
    for level in (200, 10, 150, 90):
        Image.new("RGB", (20, 20), (level, 0, 0)).save(place / f"{level:03d}.png")
    (place / "Thumbs.db").write_bytes(b"no image")

    found = batches(tmp_path, Share(range(4), 1, None))

    levels = [((batch[0][0, 0] * 0.229 + 0.485) * 255).mean() for batch in found]
    np.testing.assert_allclose(levels, [10, 90, 150, 200], atol=1)


def test_what_is_missing_is_named(tmp_path: Path):
    """No split, no images, or a class that cannot be learnt."""
    from pipeline.datasets import image_stream

    def load(split: str) -> None:
        image_stream.load([tmp_path], split, size=16, workers=1)

    with pytest.raises(DatasetError, match="no train/ "):
        load("train")
    (tmp_path / "train" / "a").mkdir(parents=True)
    with pytest.raises(DatasetError, match="holds no images"):
        load("train")
    (tmp_path / "val" / "b").mkdir(parents=True)
    with pytest.raises(DatasetError, match="the class 'b', for which there are no training images"):
        load("test")
