"""Of a split those samples are kept that a page shows, seen batch by batch."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pipeline.report.contents import Samples
from pipeline.report.tiles import LARGEST_PX, MOST_RIGHT, MOST_WRONG, Collector


def collected(labels: Any, predicted: Any, certainty: Any, *, batch: int, images: Any) -> Samples:
    """What is kept of these samples, given in batches of this size."""
    collector = Collector()
    for start in range(0, len(labels), batch):
        part = slice(start, start + batch)
        collector.add([images[part]], labels[part], predicted[part], certainty[part])
    return Samples.model_validate(collector.as_plain())


@given(st.integers(0, 2**32 - 1), st.integers(1, 300), st.integers(1, 70))
def test_batches_do_not_matter(seed: int, count: int, batch: int) -> None:
    """The most certain of the wrong ones, then the least certain of the right ones."""
    random = np.random.default_rng(seed)
    labels, predicted = random.integers(0, 2, count), random.integers(0, 2, count)
    certainty, images = random.random(count), np.zeros((count, 4))

    found = collected(labels, predicted, certainty, batch=batch, images=images)

    wrong = [i for i in np.argsort(-certainty, kind="stable") if labels[i] != predicted[i]]
    right = [i for i in np.argsort(certainty, kind="stable") if labels[i] == predicted[i]]
    assert (found.total, found.wrong) == (count, len(wrong))
    kept = [*wrong[:MOST_WRONG], *right[:MOST_RIGHT]]
    assert [sample.index for sample in found.samples] == kept
    assert {sample.png for sample in found.samples} <= {""}


@pytest.mark.parametrize(("channels", "size", "shown"), [(1, 32, 32), (3, 224, LARGEST_PX)])
def test_pictures_are_small_and_of_full_contrast(channels: int, size: int, shown: int) -> None:
    """Grey or colour, as they are or made smaller; 40 of them are no weight on a page."""
    images = np.random.default_rng(1).normal(size=(50, channels, size, size)).astype(np.float32)
    zeros = np.zeros(50, np.int64)

    found = collected(zeros, np.arange(50) % 2, np.linspace(0, 1, 50), batch=8, images=images)

    assert len(found.samples) == MOST_WRONG + MOST_RIGHT
    content = base64.b64decode(found.samples[0].png)
    with Image.open(io.BytesIO(content)) as picture:
        assert picture.size == (shown, shown)
        assert picture.mode == ("L" if channels == 1 else "RGB")
        if channels == 1:
            assert picture.getextrema() == (0, 255)
    assert sum(len(sample.png) for sample in found.samples) < 800_000


def test_a_certainty_that_is_none_counts_as_none_at_all() -> None:
    """A network that gives NaN leaves samples that can be shown."""
    certainty = np.array([np.nan, 0.5])

    found = collected(np.zeros(2), np.zeros(2), certainty, batch=2, images=np.zeros((2, 1, 3, 3)))

    assert [sample.probability for sample in found.samples] == [0.0, 0.5]
