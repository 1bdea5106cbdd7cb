"""Axes have round numbers, and thinned curves keep their peaks."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.report.scales import Scale, every_nth, log_ticks, thinned, ticks

FINITE = st.floats(-1e9, 1e9)


@given(st.lists(FINITE, min_size=1, max_size=400), st.integers(4, 60))
def test_thinning_keeps_the_ends_and_the_peaks(values: list[float], most: int) -> None:
    """Not more points than asked for, all of them true ones in their order, extremes among them."""
    points = [(float(x), y) for x, y in enumerate(values)]

    kept = thinned(points, most)

    assert len(kept) <= most
    assert [point for point in points if point in set(kept)] == kept
    assert {points[0], points[-1]} <= set(kept)
    assert max(y for _, y in kept) == max(values)
    assert min(y for _, y in kept) == min(values)


@given(FINITE, FINITE, st.integers(3, 8))
def test_ticks_are_few_round_and_within(one: float, other: float, count: int) -> None:
    """Evenly spaced by 1, 2 or 5 of some power of ten."""
    low, high = sorted((one, other))

    found = ticks(low, high, count)

    assert len(found) <= 2 * count + 2
    assert found == sorted(found)
    step = found[1] - found[0] if len(found) > 2 else 0.0
    margin = max(step, abs(low), abs(high)) * 1e-6 + 1e-9
    assert all(low - margin <= tick <= high + margin for tick in found)
    if step > max(abs(low), abs(high)) * 1e-6:
        leading = step / 10 ** math.floor(math.log10(step) + 1e-6)
        assert round(leading, 3) in (1, 2, 5, 10)


@given(st.floats(1e-12, 1e12), st.floats(1, 1e9))
def test_log_ticks_are_few_powers_of_ten(low: float, ratio: float) -> None:
    """At most seven, each within what the axis shows."""
    found = log_ticks(low, low * ratio)

    assert len(found) <= 7
    assert all(math.log10(t) == pytest.approx(round(math.log10(t))) for t in found)
    assert all(low * 0.999 <= tick <= low * ratio * 1.001 for tick in found)


@pytest.mark.parametrize("is_log", [False, True])
def test_a_scale_never_leaves_its_picture(is_log: bool) -> None:
    """What lies beyond its ends lies at its ends."""
    scale = Scale(0.1, 10, 100, 0, is_log)

    assert [scale.place(value) for value in (0.1, 10, 99, -5)] == [100, 0, 0, 100]
    assert scale.place(1) == pytest.approx(50 if is_log else 90.9, abs=0.1)


@given(st.integers(0, 1000), st.integers(2, 50))
def test_of_many_some_are_kept(count: int, most: int) -> None:
    """Different ones in their order, the first and the last among them."""
    kept = every_nth(count, most)

    assert len(kept) == min(count, most)
    assert kept == sorted(set(kept))
    assert not kept or (kept[0], kept[-1]) == (0, count - 1)
