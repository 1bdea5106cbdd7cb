"""Small data that a small network can learn, and the type of the fixture that holds both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from pipeline.data import Arrays, Share, Stream

if TYPE_CHECKING:
    from pipeline.training.session import Session


class MakeSession(Protocol):
    """Makes a session; what is not given is a small MLP on `dots`."""

    def __call__(self, **changes: Any) -> Session:
        """A fresh session, with the weights of seed 1."""


def dots(samples: int, *, size: int = 6, classes: int = 4, seed: int = 1) -> Arrays:
    """Noisy images with a bright row that tells their class."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes, samples).astype(np.int32)
    image = random.normal(0, 0.3, (samples, 1, size, size)).astype(np.float32)
    image[np.arange(samples), 0, labels] += 1
    return Arrays({"image": image, "label": labels})


def streamed(arrays: Arrays, *, classes: int = 4) -> Stream:
    """The same samples, given batch by batch by a MindSpore dataset."""

    def open_share(share: Share) -> Any:
        import mindspore.dataset

        indices = np.array(share.indices)
        columns = tuple(column[indices] for column in arrays.columns.values())
        source = mindspore.dataset.NumpySlicesDataset(
            columns, column_names=list(arrays.columns), shuffle=False
        )
        return source.batch(share.batch_size)

    return Stream(len(arrays), tuple(arrays.columns), classes, open_share)
