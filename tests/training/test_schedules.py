"""Schedules: a rate for each step, whatever the numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import TrainingError
from pipeline.training import schedules

STEPS, EPOCHS = st.integers(1, 20), st.integers(1, 12)
RATES = st.floats(1e-6, 10)


@given(RATES, STEPS, EPOCHS, st.data())
def test_every_step_has_a_rate_up_to_the_highest(
    rate: float, steps: int, epochs: int, data: st.DataObject
) -> None:
    """All three grow with the warm-up to the rate asked for, and never pass it or fall below 0."""
    warmup = data.draw(st.floats(0, epochs, exclude_max=True))
    made = [
        schedules.constant(rate, steps, epochs, warmup_epochs=warmup),
        schedules.step(rate, steps, epochs, every_epochs=epochs, warmup_epochs=warmup),
        schedules.cosine(rate, steps, epochs, warmup_epochs=warmup),
    ]

    first = round(steps * warmup)
    for rates in made:
        assert len(rates) == steps * epochs
        assert all(0 <= each <= rate * (1 + 1e-9) for each in rates)
        assert rates[:first] == sorted(rates[:first])
        assert rates[first:] == sorted(rates[first:], reverse=True)
        assert rates[max(first - 1, 0)] == pytest.approx(rate)


def test_a_cosine_comes_near_its_final_rate() -> None:
    """It is half-way in the middle, and one step from the end a little above."""
    rates = schedules.cosine(1.0, 10, 10, final=0.2)

    assert rates[0] == 1.0
    assert rates[50] == pytest.approx(0.6)
    assert 0.2 < rates[-1] < 0.21


def test_steps_count_from_the_first_epoch() -> None:
    """A warm-up does not move the epochs in which the rate falls."""
    rates = schedules.step(1.0, 2, 6, every_epochs=2, factor=0.1, warmup_epochs=1)

    assert rates == pytest.approx([0.5, 1, 1, 1, 0.1, 0.1, 0.1, 0.1, 0.01, 0.01, 0.01, 0.01])


@pytest.mark.parametrize(
    ("name", "arguments", "word"),
    [
        ("constant", {"warmup_epochs": 3}, "warmup_epochs is 3"),
        ("constant", {"warmup_epochs": -1}, "warmup_epochs is -1"),
        ("cosine", {"final": 2.0}, "final is 2.0"),
        ("step", {"every_epochs": 0}, "every_epochs is 0"),
        ("step", {"every_epochs": 1, "factor": 0}, "factor 0"),
    ],
)
def test_arguments_out_of_range_are_named(
    name: str, arguments: dict[str, float], word: str
) -> None:
    """The key and the value are told."""
    with pytest.raises(TrainingError, match=word):
        getattr(schedules, name)(0.5, 4, 3, **arguments)
