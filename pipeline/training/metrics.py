"""Numbers that tell how good a network is, from its logits of a whole split.

A metric is called as `metric(logits, labels, **arguments)`: float32 (n, classes) and int (n,).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pipeline.errors import TrainingError

if TYPE_CHECKING:
    from pipeline.data import Array


def top_k(logits: Array, labels: Array, *, k: int = 5) -> float:
    """The share of samples whose label is among the `k` highest logits.

    Of equal logits the one of the lower class counts as higher, so that 1 gives the accuracy.

    >>> top_k(np.float32([[3, 2, 1], [3, 2, 1]]), np.array([1, 2]), k=2)
    0.5

    Raises:
        TrainingError: `k` is below 1.
    """
    if k < 1:
        raise TrainingError(f"top_k: k is {k}; expected a whole number from 1. Change k.")
    own = logits[np.arange(len(labels)), labels][:, None]
    is_lower_class = np.arange(logits.shape[1]) < labels[:, None]
    # Written so that a NaN is never a hit.
    is_ahead = ~(logits <= own) | ((logits == own) & is_lower_class)
    return float((is_ahead.sum(1) < k).mean())
