"""Curves in a terminal."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.commands.runs.chart import Look, draw

FINITE = st.floats(allow_nan=False, allow_infinity=False, width=32)
CURVES = st.lists(st.lists(st.tuples(FINITE, FINITE), max_size=8), max_size=4)


def test_letters_tell_curves_apart() -> None:
    """One rises, one falls; where they meet stands a star, at the edges the values."""
    rising = [(1.0, 0.0), (3.0, 1.0)]
    falling = [(1.0, 1.0), (3.0, 0.0)]

    lines = [line.plain for line in draw([rising, falling], Look(5, 3))]

    assert lines == [
        "        1 BB AA",
        "            *",
        "        0 AA BB",
        "          1   3",
    ]


def test_fine_charts_are_drawn_in_dots() -> None:
    """Braille characters in the colour of the curve."""
    first = draw([[(0.0, 0.0), (1.0, 1.0)]], Look(4, 2, is_fine=True))[0]

    dots = first.plain[10:].strip()
    assert dots
    assert all(0x2800 < ord(dot) < 0x2900 for dot in dots)
    assert "cyan" in {str(span.style) for span in first.spans}


def test_without_points_there_is_no_chart() -> None:
    """A run without a record has no curve."""
    assert draw([[], []], Look(10)) == []


@given(curves=CURVES, is_fine=st.booleans())
def test_every_curve_fits_into_its_chart(
    curves: list[list[tuple[float, float]]], is_fine: bool
) -> None:
    """Whatever the numbers, lines have their place and letters are those of the curves."""
    lines = [line.plain for line in draw(curves, Look(20, 4, is_fine))]

    assert len(lines) == (5 if any(curves) else 0)
    if not is_fine:
        drawn = "".join(line[10:] for line in lines[:-1])
        assert set(drawn) <= set(" *ABCD"[: 2 + len(curves)])
