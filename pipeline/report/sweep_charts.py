"""Pictures of a sweep: what each key does to the metric, and the learning curves of all jobs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pipeline.report.charts import Chart, Series, draw
from pipeline.report.contents import text_of
from pipeline.report.curves import named as curve_name
from pipeline.report.markup import Html, both, both_in_svg, element, joined
from pipeline.report.scales import every_nth
from pipeline.report.sweep_record import Row, numbers

# So many curves can be told apart by colour; the others are grey behind them.
STYLES = ("one", "two", "three", "four", "five")
_MOST_CURVES = 60
_MOST_NAMES = 12
_NAME_LENGTH = 14
_NO_CURVES = ("epoch", "step", "seconds", "samples_per_s", "learning_rate")


def effects(rows: Sequence[Row], keys: Sequence[str], metric: str) -> Html:
    """One picture for each key: a dot for each job, the best one in another colour."""
    measured = [row for row in rows if row.value is not None]
    figures = [draw(_effect(measured, key, metric)) for key in keys] if measured else []
    return element("div", *figures, class_="charts") if any(figures) else Html("")


def curves(rows: Sequence[Row]) -> Html:
    """One picture for each quantity, the five best jobs in colours."""
    trained = [row for row in rows if row.epochs]
    if not trained:
        return Html("")
    best, others = trained[: len(STYLES)], trained[len(STYLES) :]
    shown = [others[i] for i in every_nth(len(others), _MOST_CURVES)]
    names = dict.fromkeys(name for row in trained for line in row.epochs for name in line)
    figures = [draw(_over_each_other(best, shown, name)) for name in names if _is_curve(name)]
    notes = []
    if len(shown) < len(others):
        count = len(shown) + len(best)
        english = f"{count} of {len(trained):,} jobs are drawn, the best among them."
        note = both(english, f"绘出 {len(trained):,} 个作业中的 {count} 个，包含最佳者。")
        notes.append(element("p", note))
    return joined([element("div", *figures, class_="charts"), *notes])


def _is_curve(name: str) -> bool:
    return name not in _NO_CURVES


def _effect(rows: Sequence[Row], key: str, metric: str) -> Chart:
    pairs = [(row.job.overrides.get(key), row) for row in rows]
    places = numbers([value for value, _ in pairs])
    names: dict[float, str] = {}
    if places is None:
        words = [text_of(value) for value, _ in pairs]
        order = {word: float(i) for i, word in enumerate(sorted(set(words)))}
        places = [order[word] for word in words]
        shown = [list(order)[i] for i in every_nth(len(order), _MOST_NAMES)]
        names = {order[word]: _short(word) for word in shown}
    points = [(x, row.value or 0.0) for x, row in zip(places, rows)]
    series = [
        Series(both("jobs", "作业"), sorted(points[1:]), "one", is_point=True),
        Series(both("best", "最佳"), points[:1], "two", is_point=True),
    ]
    described = f"{metric} by {key}: {len(points)} jobs; the numbers stand in the table of jobs"
    return Chart(
        joined([element("code", key), " → ", metric]),
        series,
        described,
        names=names,
        spread=True,
        with_legend=False,
    )


def _over_each_other(best: Sequence[Row], others: Sequence[Row], name: str) -> Chart:
    # The best are drawn last, so that they lie above.
    series = [*_series(reversed(others), name, ()), *_series(best, name, STYLES)]
    described = f"{name} by epoch of {len(series)} jobs"
    return Chart(curve_name(name), series, described, both_in_svg("epoch", "轮"))


def _series(
    rows: Sequence[Row] | Iterator[Row], name: str, styles: Sequence[str]
) -> Iterator[Series]:
    for place, row in enumerate(rows):
        points = [(float(line["epoch"]), float(line[name])) for line in row.epochs if name in line]
        number = both(f"job {row.job.number}", f"作业 {row.job.number}") if styles else None
        yield Series(number, points, styles[place] if styles else "other")


def _short(word: str) -> str:
    return word if len(word) <= _NAME_LENGTH else f"{word[: _NAME_LENGTH - 1]}…"
