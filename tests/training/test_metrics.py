"""Metrics of whole splits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pipeline.errors import TrainingError
from pipeline.training.metrics import top_k

LOGITS = arrays.arrays(np.float32, (6, 5), elements=st.integers(-2, 2).map(float))
LABELS = arrays.arrays(np.int32, 6, elements=st.integers(0, 4))


@given(LOGITS, LABELS, st.integers(1, 7))
def test_top_k_is_what_sorting_says(logits: np.ndarray, labels: np.ndarray, k: int) -> None:
    """The first k of a stable order hold the label; with 1 that is the accuracy."""
    order = np.argsort(-logits, axis=1, kind="stable")[:, :k]

    assert top_k(logits, labels, k=k) == (order == labels[:, None]).any(1).mean()
    assert top_k(logits, labels, k=1) == (logits.argmax(1) == labels).mean()


def test_a_nan_is_no_hit() -> None:
    """A network that gives no numbers is not right by accident."""
    assert top_k(np.full((3, 4), np.nan, np.float32), np.array([0, 1, 2]), k=2) == 0.0


def test_no_class_at_all_is_refused() -> None:
    """The value is named."""
    with pytest.raises(TrainingError, match="k is 0"):
        top_k(np.zeros((1, 2), np.float32), np.array([0]), k=0)
