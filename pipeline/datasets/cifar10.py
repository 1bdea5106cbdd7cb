"""CIFAR-10 in its binary version: five files of training images and one of test images.

The version "for Python" is not read: it holds pickles, which may run code when they are loaded.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline.data import Arrays
from pipeline.datasets import search
from pipeline.errors import DatasetError

if TYPE_CHECKING:
    from pipeline.data import Array

CLASSES, CHANNELS, SIZE = 10, 3, 32
# Of the training images, for red, green and blue in [0, 1].
MEAN = (0.4914, 0.4822, 0.4465)
DEVIATION = (0.2470, 0.2435, 0.2616)

_FILES = {
    "train": tuple(f"data_batch_{number}.bin" for number in range(1, 6)),
    "test": ("test_batch.bin",),
}
# One byte for the label, then the red, the green and the blue plane, row by row.
_RECORD_BYTES = 1 + CHANNELS * SIZE * SIZE


def load(folders: Sequence[Path], split: str) -> Arrays:
    """The whole split as normalised images, in file order.

    Columns: image float32 (n, 3, 32, 32), which is `(level / 255 - MEAN) / DEVIATION` in each
    channel; label int32 (n,), below 10.

    Raises:
        DatasetError: no folder holds the split's files, or they are damaged.
    """
    if split not in _FILES:
        raise DatasetError(f"there is no split {split!r}; expected 'train' or 'test'.")
    records = np.concatenate([_read(path) for path in _find(folders, split)])
    return Arrays({"image": _prepare(records[:, 1:]), "label": records[:, 0].astype(np.int32)})


def _find(folders: Sequence[Path], split: str) -> tuple[Path, ...]:
    names = _FILES[split]

    def look(folder: Path) -> tuple[Path, ...] | None:
        paths = tuple(folder / name for name in names)
        return paths if all(path.is_file() for path in paths) else None

    return search.shallowest(
        folders,
        look,
        wanted=" and ".join(names),
        advice="Expected CIFAR-10's binary version, cifar-10-binary.tar.gz; files named "
        "data_batch_1 without .bin are the version for Python, which is not read here.",
    )


def _read(path: Path) -> Array:
    """The file's records as bytes (n, 3073)."""
    content = np.fromfile(path, np.uint8)
    if content.size == 0 or content.size % _RECORD_BYTES:
        raise DatasetError(
            f"{path} has {content.size} bytes; expected a multiple of {_RECORD_BYTES} above 0, "
            f"one label and 3x32x32 pixels each. Remove its folder and start again."
        )
    records = content.reshape(-1, _RECORD_BYTES)
    highest = int(records[:, 0].max())
    if highest >= CLASSES:
        raise DatasetError(
            f"{path} has a label {highest}; expected less than {CLASSES}. Is it CIFAR-10, and "
            f"whole? Remove its folder and start again."
        )
    return records


def _prepare(pixels: Array) -> Array:
    images = np.empty((len(pixels), CHANNELS, SIZE * SIZE), np.float32)
    planes = pixels.reshape(images.shape)
    for channel, (mean, deviation) in enumerate(zip(MEAN, DEVIATION)):
        np.multiply(planes[:, channel], np.float32(1 / (255 * deviation)), out=images[:, channel])
        images[:, channel] -= np.float32(mean / deviation)
    return images.reshape(-1, CHANNELS, SIZE, SIZE)
