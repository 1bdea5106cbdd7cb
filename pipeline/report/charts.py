"""Line charts as SVG: small ones, whose letters can be read on a phone and on paper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pipeline.report.markup import Html, Node, both, element, joined
from pipeline.report.scales import MOST_POINTS, Points, Scale, thinned, wants_log

WIDTH, HEIGHT = 380, 230
# Of a few values on the x axis, such as those of a swept key.
_LOG_SPAN, _MOST_FEW = 15.0, 6
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 14, 22, 36
# So few points of so few curves are marked each; more would be strings of beads.
_MOST_DOTS, _MOST_DOTTED = 40, 3


@dataclass(frozen=True)
class Series:
    """One curve: its name, its points, and the class that gives it colour and dashes."""

    name: Node
    points: Points
    style: str
    is_point: bool = False


@dataclass(frozen=True)
class Mark:
    """A place on the x axis that means something."""

    x: float
    text: Node
    style: str = "mark"


@dataclass(frozen=True)
class Chart:
    """What one picture shows; `described` says it to those who cannot see it.

    `names` are words on the x axis in the place of numbers, by their x; `spread` leaves room beside
    the first and the last x, and counts by logarithm where they span much.
    """

    title: Node
    series: Sequence[Series]
    described: str
    x_name: Node = None
    marks: Sequence[Mark] = ()
    shares: bool = False
    with_legend: bool = True
    names: Mapping[float, str] = field(default_factory=dict)
    spread: bool = False


def draw(chart: Chart) -> Html:
    """A figure with title, legend and curves; empty where there are no points."""
    kept = [one for one in chart.series if one.points]
    if not kept:
        return Html("")
    longest = max(len(one.points) for one in kept)
    values = [y for one in kept for _, y in one.points]
    is_log = not chart.shares and wants_log(values)
    notes = [element("small", both("log scale", "对数坐标"))] if is_log else []
    if longest > MOST_POINTS:
        english = f"{longest:,} points, thinned to {MOST_POINTS}: peaks are kept"
        chinese = f"共 {longest:,} 个点，抽稀为 {MOST_POINTS} 个，保留峰值"
        notes.append(element("small", both(english, chinese)))
    named = [one for one in kept if one.name is not None]
    legend = element("div", *map(_key, named), class_="keys") if chart.with_legend else None
    caption = element("figcaption", element("strong", chart.title), *notes, legend)
    return element("figure", caption, _picture(chart, kept, is_log=is_log), class_="chart")


def _picture(chart: Chart, series: Sequence[Series], *, is_log: bool) -> Html:
    across = _across(chart, [x for one in series for x, _ in one.points])
    up = _up([y for one in series for _, y in one.points], shares=chart.shares, is_log=is_log)
    return element(
        "svg",
        element("title", chart.described),
        *_levels(up),
        *_feet(across, chart.names or _few([x for s in series for x, _ in s.points], chart)),
        *_marks(chart.marks, across),
        *(_curve(one, across, up, with_dots=len(series) <= _MOST_DOTTED) for one in series),
        element("text", chart.x_name, x=WIDTH - _RIGHT, y=HEIGHT - 4, class_="axis end"),
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        role="img",
    )


def _across(chart: Chart, xs: Sequence[float]) -> Scale:
    low, high = min(xs), max(xs)
    is_log = chart.spread and not chart.names and wants_log(xs, _LOG_SPAN)
    if is_log:
        room = (high / low) ** 0.06
        low, high = low / room, high * room
    elif chart.names or chart.spread:
        room = 0.5 if chart.names else (high - low) * 0.06
        low, high = low - room, high + room
    return Scale(low, high, _LEFT, WIDTH - _RIGHT, is_log=is_log)


def _few(xs: Sequence[float], chart: Chart) -> dict[float, str]:
    """The values themselves as names, where there are few of them."""
    distinct = sorted(set(xs))
    is_few = chart.spread and len(distinct) <= _MOST_FEW
    return {x: f"{x:g}" for x in distinct} if is_few else {}


def _up(values: Sequence[float], *, shares: bool, is_log: bool) -> Scale:
    """The y axis: with air above and below; what is a share ends at 1, what is positive at 0."""
    low, high = min(values), max(values)
    if is_log:
        return Scale(low / 1.3, high * 1.3, HEIGHT - _BOTTOM, _TOP, is_log=True)
    air = (high - low) * 0.08 or abs(high) * 0.1 or 1.0
    floor = max(0.0, low - air) if low >= 0 else low - air
    ceiling = min(1.0, high + air) if shares and high <= 1 else high + air
    if not shares and 0 <= low < (high - low) * 0.5:
        floor = 0.0
    return Scale(floor, max(ceiling, floor + 1e-12), HEIGHT - _BOTTOM, _TOP)


def _levels(up: Scale) -> list[Html]:
    parts, ys = [], up.ticks()
    for value, word in zip(ys, tick_words(ys)):
        y = up.place(value)
        parts.append(element("path", d=f"M{_LEFT} {y:.1f}H{WIDTH - _RIGHT}", class_="grid"))
        parts.append(element("text", word, x=_LEFT - 7, y=y + 4, class_="axis end"))
    return parts


def _feet(across: Scale, names: Mapping[float, str]) -> list[Html]:
    """The x axis with its ticks; whole numbers, if there are enough, or names."""
    whole = [x for x in across.ticks(6) if x == int(x)]
    xs = list(names) if names else whole if len(whole) > 1 else across.ticks(6)
    words = list(names.values()) if names else tick_words(xs)
    parts = []
    for value, word in zip(xs, words):
        x = across.place(value)
        parts.append(element("path", d=f"M{x:.1f} {HEIGHT - _BOTTOM}v4", class_="tick"))
        parts.append(element("text", word, x=x, y=HEIGHT - _BOTTOM + 17, class_="axis middle"))
    base = f"M{_LEFT} {HEIGHT - _BOTTOM}H{WIDTH - _RIGHT}"
    return [*parts, element("path", d=base, class_="base")]


def tick_words(values: Sequence[float]) -> list[str]:
    """The numbers of an axis, all with as many decimals as they need together.

    >>> tick_words([0.0, 0.5, 1.0]), tick_words([10.0, 20.0]), tick_words([1e-05, 1.0])
    (['0.0', '0.5', '1.0'], ['10', '20'], ['1e-05', '1'])
    """
    words = [f"{value:.6g}" for value in values]
    if any("e" in word for word in words) or _is_powers(values):
        return [f"{value:g}" for value in values]
    decimals = max((len(word.partition(".")[2]) for word in words), default=0)
    return [f"{value:,.{decimals}f}" for value in values]


def _is_powers(values: Sequence[float]) -> bool:
    return len(values) > 1 and all(f"{value:e}".startswith("1.000000e") for value in values)


def _marks(marks: Sequence[Mark], across: Scale) -> list[Html]:
    parts = []
    for mark in marks:
        x = across.place(mark.x)
        side = "end" if x > WIDTH * 0.6 else ""
        shift = -5 if side else 5
        parts.append(
            element("path", d=f"M{x:.1f} {_TOP - 8}V{HEIGHT - _BOTTOM}", class_=mark.style)
        )
        parts.append(element("text", mark.text, x=x + shift, y=_TOP - 9, class_=f"note {side}"))
    return parts


def _curve(series: Series, across: Scale, up: Scale, *, with_dots: bool) -> Html:
    points = thinned(series.points)
    places = [(across.place(x), up.place(y)) for x, y in points]
    line = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
    parts: list[Node] = []
    if len(places) > 1 and not series.is_point:
        parts.append(element("path", d=line, class_="line"))
    if series.is_point or (with_dots and len(places) <= _MOST_DOTS):
        parts += [_dot(series, place, point) for place, point in zip(places, points)]
    return element("g", *parts, class_=series.style)


def _dot(series: Series, place: tuple[float, float], point: tuple[float, float]) -> Html:
    radius = 4.5 if series.is_point else 2.6
    told = element("title", f"{point[0]:g}: {point[1]:.5g}")
    return element("circle", told, cx=place[0], cy=place[1], r=radius, class_="dot")


def _key(series: Series) -> Html:
    last = f"{series.points[-1][1]:.4g}"
    swatch = element("i", class_=f"swatch {series.style}{' point' if series.is_point else ''}")
    return element("span", swatch, joined([series.name, " "]), element("b", last), class_="key")
