"""Parallel coordinates: an axis for each key, and a line through them for each job."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.report.charts import tick_words
from pipeline.report.contents import text_of
from pipeline.report.markup import Html, Node, both, element, joined
from pipeline.report.scales import Scale, every_nth, wants_log
from pipeline.report.sweep_record import Row, numbers

_WIDTH, _HEIGHT = 940, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 70, 40, 20
_MOST_AXES, _MOST_LINES, _MOST_NAMES = 8, 200, 10
_NAME_LENGTH = 18
_LOG_SPAN = 15.0


@dataclass(frozen=True)
class _Axis:
    """One key: where each job lies on it, and what stands beside it."""

    name: str
    places: list[float]
    ticks: list[tuple[float, str]]


def draw(rows: Sequence[Row], keys: Sequence[str], metric: str) -> Html:
    """The best jobs dark, the others pale; empty where a picture for each key says it all."""
    measured = [row for row in rows if row.value is not None]
    shown = [measured[i] for i in every_nth(len(measured), _MOST_LINES)]
    chosen = keys[: _MOST_AXES - 1]
    if len(chosen) < 2 or len(shown) < 3:
        return Html("")
    axes = [_axis(key, [row.job.overrides.get(key) for row in shown]) for key in chosen]
    axes.append(_axis(metric, [row.value for row in shown], is_measured=True))
    step = (_WIDTH - _LEFT - _RIGHT) / (len(axes) - 1)
    xs = [_LEFT + step * i for i in range(len(axes))]
    title = f"{len(shown)} jobs as lines through {', '.join(axis.name for axis in axes)}"
    picture = element(
        "svg",
        element("title", title),
        *_lines(axes, xs, len(shown)),
        *(_drawn(axis, x) for axis, x in zip(axes, xs)),
        viewBox=f"0 0 {_WIDTH} {_HEIGHT}",
        role="img",
    )
    return joined(
        [element("div", picture, class_="wide parallel", tabindex=0), *_notes(rows, shown, keys)]
    )


def _notes(rows: Sequence[Row], shown: Sequence[Row], keys: Sequence[str]) -> list[Html]:
    notes = [both("The line of the best job is the thick one.", "粗线为最佳作业。")]
    measured = sum(row.value is not None for row in rows)
    if len(shown) < measured:
        english = f"{len(shown)} of {measured:,} jobs are drawn."
        notes.append(both(english, f"绘出 {measured:,} 个作业中的 {len(shown)} 个。"))
    if len(keys) > _MOST_AXES - 1:
        left = ", ".join(keys[_MOST_AXES - 1 :])
        notes.append(both(f"Not drawn: {left}.", f"未绘出：{left}。"))
    return [element("p", note) for note in notes]


def _axis(name: str, values: Sequence[Any], *, is_measured: bool = False) -> _Axis:
    found = numbers(values)
    if found is None:
        words = [text_of(value) for value in values]
        order = sorted(set(words))
        scale = Scale(-0.5, len(order) - 0.5, _HEIGHT - _BOTTOM, _TOP)
        places = {word: scale.place(i) for i, word in enumerate(order)}
        kept = [order[i] for i in every_nth(len(order), _MOST_NAMES)]
        return _Axis(name, [places[w] for w in words], [(places[w], _short(w)) for w in kept])
    is_log = wants_log(found, _LOG_SPAN) or _is_doubling(found)
    scale = Scale(min(found), max(found), _HEIGHT - _BOTTOM, _TOP, is_log=is_log)
    distinct = sorted(set(found))
    is_few = len(distinct) <= _MOST_NAMES // 2 and not is_measured
    ticks = distinct if is_few else scale.ticks()
    return _Axis(
        name,
        [scale.place(value) for value in found],
        [(scale.place(tick), word) for tick, word in zip(ticks, _words(ticks, distinct))],
    )


def _words(ticks: Sequence[float], distinct: Sequence[float]) -> list[str]:
    return [f"{tick:.5g}" for tick in ticks] if ticks is distinct else tick_words(ticks)


def _is_doubling(values: Sequence[float]) -> bool:
    """Whether each value is the double of the one before, as batch sizes often are."""
    distinct = sorted(set(values))
    pairs = list(zip(distinct, distinct[1:]))
    return (
        len(pairs) > 1
        and distinct[0] > 0
        and all(b / a == pairs[0][1] / pairs[0][0] for a, b in pairs)
    )


def _lines(axes: Sequence[_Axis], xs: Sequence[float], count: int) -> list[Html]:
    """The worst first, so that the best lie above."""
    lines = []
    for job in reversed(range(count)):
        ys = [axis.places[job] for axis in axes]
        way = f"M{xs[0]:.1f} {ys[0]:.1f}"
        for (x0, y0), (x1, y1) in zip(zip(xs, ys), zip(xs[1:], ys[1:])):
            middle = (x0 + x1) / 2
            way += f"C{middle:.1f} {y0:.1f} {middle:.1f} {y1:.1f} {x1:.1f} {y1:.1f}"
        strength = 1 - 0.85 * job / max(count - 1, 1)
        style = "best two" if job == 0 else "one"
        faint: str | None = None if job == 0 else f"{strength:.2f}"
        lines.append(element("path", d=way, class_=f"line {style}", stroke_opacity=faint))
    return lines


def _drawn(axis: _Axis, x: float) -> Html:
    parts: list[Node] = [
        element("path", d=f"M{x:.1f} {_TOP}V{_HEIGHT - _BOTTOM}", class_="base"),
        element("text", _short(axis.name, tail=True), x=x, y=_TOP - 18, class_="note middle"),
    ]
    for y, word in axis.ticks:
        parts.append(element("path", d=f"M{x - 4:.1f} {y:.1f}h8", class_="tick"))
        parts.append(element("text", word, x=x + 7, y=y + 4, class_="axis halo"))
    return element("g", *parts)


def _short(word: str, *, tail: bool = False) -> str:
    """Of a key the end says most, of a value the beginning."""
    if len(word) <= _NAME_LENGTH:
        return word
    return f"…{word[1 - _NAME_LENGTH :]}" if tail else f"{word[: _NAME_LENGTH - 1]}…"
