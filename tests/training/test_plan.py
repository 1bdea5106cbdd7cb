"""When training ends early, and by what the best epoch is chosen."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.training.plan import EarlyStopping, Plan


def rows(*values: float | None, metric: str = "test_accuracy") -> list[dict[str, float]]:
    """Rows of which some were measured."""
    return [{"loss": 1.0} if value is None else {"loss": 1.0, metric: value} for value in values]


@pytest.mark.parametrize(
    ("values", "is_over"),
    [
        ((), False),
        ((0.5, 0.6, 0.7, 0.8), False),
        ((0.8, 0.7, 0.7), True),
        ((0.8, None, 0.7, None), False),
        ((0.8, None, 0.7, None, 0.8), True),
        ((0.8, 0.7, 0.81, 0.7), False),
        ((float("nan"), float("nan")), True),
    ],
)
def test_patience_counts_measurings_without_a_new_best(values: Any, is_over: bool):
    """Epochs that were not measured do not count; equal is not better."""
    assert EarlyStopping(patience=2).is_over(rows(*values)) is is_over


def test_a_loss_is_better_when_it_is_less():
    """All other metrics are better when they are more."""
    stopping = EarlyStopping(metric="loss", patience=1)

    assert not stopping.is_over(rows(0.5, 0.4, 0.3, metric="test_loss"))
    assert stopping.is_over(rows(0.5, 0.6, metric="test_loss"))


def test_little_gains_count_for_nothing():
    """A new best is better by more than min_delta."""
    assert EarlyStopping(patience=1, min_delta=0.1).is_over(rows(0.5, 0.6))
    assert not EarlyStopping(patience=1, min_delta=0.05).is_over(rows(0.5, 0.6))


@given(
    values=st.lists(st.one_of(st.none(), st.floats(0, 1)), max_size=20),
    patience=st.integers(1, 4),
)
def test_what_is_over_stays_over(values: list[float | None], patience: int):
    """Once enough, more rows change nothing: so resuming decides as the first run did."""
    stopping = EarlyStopping(patience=patience)

    decisions = [stopping.is_over(rows(*values[:n])) for n in range(len(values) + 1)]

    assert decisions == sorted(decisions)


def test_the_best_is_chosen_by_what_is_measured():
    """Without measurings, by the training loss."""
    assert Plan().monitored == "loss"
    assert Plan(evaluate_every=2).monitored == "test_accuracy"
    by_loss = Plan(evaluate_every=2, early_stopping=EarlyStopping("loss"))
    assert by_loss.monitored == "test_loss"
    assert [by_loss.measures_after(epoch) for epoch in (1, 2, 3, 4)] == [False, True, False, True]
    assert not Plan().measures_after(1)
