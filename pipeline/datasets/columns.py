"""Columns as training takes them: inputs as float32 of one shape, labels as whole numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from pipeline.errors import DatasetError

if TYPE_CHECKING:
    from pipeline.data import Array


def numbers(
    values: Array, shape: Sequence[int] | None, scale: float, offset: float, where: str
) -> Array:
    """The values as float32, `value * scale + offset`, each sample of this shape.

    Raises:
        DatasetError: they are no numbers, or too few or many for the shape; `where` says whose.
    """
    if values.dtype.kind not in "biuf" or values.ndim == 0:
        raise DatasetError(
            f"{where}: {values.dtype} of shape {values.shape}; expected numbers, sample first."
        )
    if shape is not None and math.prod(values.shape[1:]) != math.prod(shape):
        raise DatasetError(
            f"{where}: samples of shape {values.shape[1:]}; expected as many numbers as in "
            f"{tuple(shape)}. Mend dataset.loader.shape."
        )
    prepared = values.astype(np.float32)
    prepared *= np.float32(scale)
    prepared += np.float32(offset)
    return prepared if shape is None else prepared.reshape(len(values), *shape)


def labels(values: Array, where: str) -> Array:
    """The values as int32 (n,).

    Raises:
        DatasetError: they are not whole numbers from 0, one for each sample; `where` says whose.
    """
    flat = values.reshape(-1) if values.ndim == 2 and values.shape[1] == 1 else values
    is_whole = flat.ndim == 1 and flat.dtype.kind in "biuf"
    if not is_whole or (len(flat) and (flat.min() < 0 or not np.array_equal(flat, flat // 1))):
        raise DatasetError(
            f"{where}: {values.dtype} of shape {values.shape}; expected whole numbers from 0, one "
            f"for each sample (for one-hot rows: numpy.argmax(rows, axis=1))."
        )
    return flat.astype(np.int32)
