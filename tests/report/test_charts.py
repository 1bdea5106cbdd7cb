"""Line charts show every point within their frame, and say what they show."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from pipeline.report.charts import HEIGHT, WIDTH, Chart, Mark, Series, draw
from tests.report.test_markup import seen

VALUE = st.floats(-1e12, 1e12) | st.floats(1e-12, 1e-3)


@given(st.lists(st.tuples(st.integers(0, 10**6), VALUE), min_size=1, max_size=80), st.booleans())
def test_every_point_lies_within_the_frame(pairs: list[tuple[int, float]], spread: bool) -> None:
    """Whatever the numbers, no place of the picture lies outside of it, and none is no number."""
    points = [(float(x), y) for x, y in sorted(pairs)]

    found = draw(Chart("t", [Series("s", points, "one")], "d", spread=spread, marks=[Mark(1, "m")]))

    assert "nan" not in found
    assert "inf" not in found
    places = re.findall(r"[ML](-?[\d.]+) (-?[\d.]+)", found)
    places += re.findall(r'cx="(-?[\d.]+)" cy="(-?[\d.]+)"', found)
    assert places
    assert all(0 <= float(x) <= WIDTH and 0 <= float(y) <= HEIGHT for x, y in places)


def test_without_points_there_is_no_picture() -> None:
    """A quantity that was never measured takes no room."""
    assert draw(Chart("t", [Series("s", [], "one")], "d")) == ""


def test_a_steep_curve_is_drawn_by_its_logarithm() -> None:
    """A loss that falls by powers of ten is said to be, and has powers of ten beside it."""
    points = [(1.0, 2.0), (2.0, 0.05), (3.0, 0.0004)]

    found = seen(draw(Chart("loss", [Series("training", points, "one")], "falls"))).text

    assert "log scale · 对数坐标" in found
    assert all(word in found for word in ("0.001", "0.01", "0.1"))


def test_a_picture_has_words_for_those_who_cannot_see_it() -> None:
    """Its title is what screen readers say."""
    found = draw(Chart("t", [Series("s", [(1, 1)], "one")], "loss by epoch"))

    assert "<title>loss by epoch</title>" in found
    assert 'role="img"' in found


def test_words_stand_where_there_are_no_numbers() -> None:
    """The x axis of a key with names has the names."""
    series = [Series(None, [(0.0, 0.5), (1.0, 0.6)], "one", is_point=True)]

    found = seen(draw(Chart("t", series, "d", names={0.0: "lenet5", 1.0: "mlp"}))).text

    assert "lenet5" in found
    assert "mlp" in found
