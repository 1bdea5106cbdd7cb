"""The MNIST layout: `train/` and `test/` with the four official IDX files.

Any data in that layout will do; the digits that ship with MindRun use this loader too.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline.data import Arrays
from pipeline.datasets import idx, search
from pipeline.errors import DatasetError

if TYPE_CHECKING:
    from pipeline.data import Array

# Of the pixels of MNIST's training images; the official LeNet sample uses these two,
# so its checkpoints expect images prepared with them, whatever the data.
MEAN = 0.1307
DEVIATION = 0.3081

_FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
_CHUNK_IMAGES = 2000


def load(folders: Sequence[Path], split: str, *, size: int) -> Arrays:
    """The whole split as normalised images, in file order.

    Columns: image float32 (n, 1, size, size), which is `(grey / 255 - MEAN) / DEVIATION`
    of the bilinearly resized grey levels; label int32 (n,).

    Raises:
        DatasetError: no folder holds the split's files, or they are damaged.
    """
    if split not in _FILES:
        raise DatasetError(f"there is no split {split!r}; expected 'train' or 'test'.")
    images_path, labels_path = _find(folders, split)
    images, labels = idx.read(images_path), idx.read(labels_path)
    if images.ndim != 3 or labels.ndim != 1 or len(images) != len(labels) or images.size == 0:
        raise DatasetError(
            f"{images_path} has shape {images.shape} and {labels_path.name} {labels.shape}; "
            f"expected (n, height, width) and (n,) with n above 0. Do they belong together?"
        )
    return Arrays({"image": _prepare(images, size), "label": labels.astype(np.int32)})


def resize(images: Array, size: int) -> Array:
    """Grey images (n, height, width) as float32 (n, size, size), bilinear by pixel centres."""
    rows = _interpolation(images.shape[1], size)
    columns = _interpolation(images.shape[2], size)
    return np.asarray(np.matmul(rows, images.astype(np.float32) @ columns.T))


def _prepare(images: Array, size: int) -> Array:
    prepared = np.empty((len(images), 1, size, size), np.float32)
    # In chunks that stay in the processor's cache: three times as fast as all at once.
    for start in range(0, len(images), _CHUNK_IMAGES):
        chunk = resize(images[start : start + _CHUNK_IMAGES], size)
        chunk *= 1 / (255 * DEVIATION)
        chunk -= MEAN / DEVIATION
        prepared[start : start + _CHUNK_IMAGES, 0] = chunk
    return prepared


def _interpolation(old: int, new: int) -> Array:
    # Row i holds the weights of the old pixels in new pixel i; edges repeat the last pixel.
    centres = np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, old - 1)
    left = np.minimum(centres.astype(int), max(old - 2, 0))
    weights = np.zeros((new, old), np.float32)
    np.add.at(weights, (np.arange(new), left), 1 - (centres - left))
    np.add.at(weights, (np.arange(new), np.minimum(left + 1, old - 1)), centres - left)
    return weights


def _find(folders: Sequence[Path], split: str) -> tuple[Path, Path]:
    def look(folder: Path) -> tuple[Path, Path] | None:
        images, labels = (_existing(folder / split / name) for name in _FILES[split])
        return (images, labels) if images and labels else None

    return search.shallowest(
        folders,
        look,
        wanted=f"{' and '.join(f'{split}/{name}' for name in _FILES[split])} (or .gz)",
        advice="Choose a dataset in the MNIST layout, or the loader that fits this one; where "
        "files went missing after unpacking, remove that folder and start again.",
    )


def _existing(path: Path) -> Path | None:
    return next((p for p in (path, path.with_name(f"{path.name}.gz")) if p.is_file()), None)
