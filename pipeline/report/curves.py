"""The learning curves of a run: a picture for each quantity, training and test in one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.report.charts import Chart, Mark, Series, draw
from pipeline.report.contents import Contents
from pipeline.report.markup import Html, Node, both, both_in_svg, element, joined
from pipeline.report.scales import every_nth
from pipeline.report.tables import folded, table

_TEST = "test_"
_FIRST = ("loss", "accuracy")
_LAST = ("learning_rate", "samples_per_s")
# Counters, and what samples_per_s says already.
_NO_CURVES = ("epoch", "step", "seconds")
_MOST_ROWS = 200

_NAMES = {
    "loss": ("Loss", "损失"),
    "accuracy": ("Accuracy", "准确率"),
    "learning_rate": ("Learning rate", "学习率"),
    "samples_per_s": ("Samples per second", "每秒样本数"),
}
_TRAINING = both("training", "训练")
_TEST_SET = both("test", "测试")


@dataclass(frozen=True)
class End:
    """How far a training came, and why no farther."""

    epochs: int
    planned: int | None
    is_early: bool


def section(contents: Contents) -> Html:
    """The curves with the numbers behind them; empty where no epoch was recorded."""
    rows = contents.rows
    if not rows:
        return Html("")
    figures = [draw(chart) for chart in _charts(contents)]
    numbers = folded(both("Numbers of each epoch", "各轮数值"), _numbers(rows))
    charts = element("div", *figures, class_="charts")
    return joined([charts, element("p", *_words(contents)), numbers])


def end_of(contents: Contents) -> End | None:
    """The end of the training; None where there was none."""
    if not contents.rows:
        return None
    mode = contents.config.get("mode")
    planned = mode.get("epochs") if isinstance(mode, Mapping) else None
    stopping = mode.get("early_stopping") if isinstance(mode, Mapping) else None
    epochs = int(contents.rows[-1]["epoch"])
    is_early = bool(stopping) and isinstance(planned, int) and epochs < planned
    is_early = is_early and any(
        s.name == "train" and s.status != "failed" for s in _stages(contents)
    )
    return End(epochs, planned if isinstance(planned, int) else None, is_early)


def named(column: str) -> Node:
    """A column of metrics.jsonl for people, in both languages where there are words for it."""
    name = column.removeprefix(_TEST)
    if name not in _NAMES:
        return column
    english, chinese = _NAMES[name]
    return (
        both(english, chinese)
        if name == column
        else both(f"Test {english.lower()}", f"测试{chinese}")
    )


def best_epoch(contents: Contents) -> int | None:
    """The epoch whose checkpoint is the best; None where that says nothing."""
    best = contents.best_epoch
    is_there = any(row["epoch"] == best for row in contents.rows)
    return best if is_there and len(contents.rows) > 1 else None


def _stages(contents: Contents) -> Sequence[Any]:
    return contents.manifest.stages


def _charts(contents: Contents) -> Iterator[Chart]:
    names = dict.fromkeys(name.removeprefix(_TEST) for row in contents.rows for name in row)
    others = [n for n in names if n not in (*_FIRST, *_LAST, *_NO_CURVES)]
    for name in (*_FIRST, *others, *_LAST):
        series = list(_series(contents, name))
        if series:
            yield Chart(
                named(name),
                series,
                _described(name, series),
                both_in_svg("epoch", "轮"),
                list(_marks(contents)) if name not in _LAST else (),
                shares=name == "accuracy" or name.startswith("top_"),
                with_legend=name not in _LAST,
            )


def _series(contents: Contents, name: str) -> Iterator[Series]:
    rows = contents.rows
    during = _points(rows, _TEST + name)
    yield from _one(Series(_TRAINING, _points(rows, name), "one"))
    yield from _one(Series(_TEST_SET, during, "two"))
    final = getattr(contents.results, name, None) if contents.results else None
    is_known = bool(during) and during[-1][0] == rows[-1]["epoch"]
    if isinstance(final, float) and not is_known and name not in _LAST:
        yield Series(_TEST_SET, [(rows[-1]["epoch"], final)], "two", is_point=True)


def _one(series: Series) -> Iterator[Series]:
    if series.points:
        yield series


def _points(rows: Sequence[Mapping[str, float]], name: str) -> list[tuple[float, float]]:
    return [(float(row["epoch"]), float(row[name])) for row in rows if name in row]


def _marks(contents: Contents) -> Iterator[Mark]:
    best, end = best_epoch(contents), end_of(contents)
    if best is not None:
        yield Mark(best, both_in_svg(f"best: {best}", f"最佳：{best}"), "mark best")
    if end and end.is_early and best != end.epochs:
        yield Mark(end.epochs, both_in_svg("stopped early", "提前停止"), "mark stop")


def _words(contents: Contents) -> Iterator[Node]:
    best, end = best_epoch(contents), end_of(contents)
    if best is not None:
        yield both(f"The best checkpoint is that of epoch {best}. ", f"最佳检查点为第 {best} 轮。 ")
    if end and end.is_early:
        english = f"Stopped early after {end.epochs} of {end.planned} epochs."
        yield both(english, f"提前停止：{end.planned} 轮中完成 {end.epochs} 轮。")
    elif end and end.planned and end.epochs < end.planned:
        english = f"{end.epochs} of {end.planned} epochs were trained."
        yield both(english, f"{end.planned} 轮中完成 {end.epochs} 轮。")


def _described(name: str, series: Sequence[Series]) -> str:
    first, last = series[0].points[0], series[0].points[-1]
    return (
        f"{name} by epoch: {first[1]:.4g} at epoch {first[0]:g}, "
        f"{last[1]:.4g} at epoch {last[0]:g}; the numbers stand in the table below"
    )


def _numbers(rows: Sequence[Mapping[str, float]]) -> Html:
    names = list(dict.fromkeys(name for row in rows for name in row))
    shown = [rows[i] for i in every_nth(len(rows), _MOST_ROWS)]
    cells = [[_number(row.get(name)) for name in names] for row in shown]
    found = table(names, cells, numbers=range(len(names)))
    if len(shown) == len(rows):
        return found
    english = f"{len(shown)} of {len(rows):,} epochs; all of them are in metrics.jsonl."
    note = both(english, f"显示 {len(rows):,} 轮中的 {len(shown)} 轮，全部数值见 metrics.jsonl。")
    return joined([element("p", note), found])


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.5g}" if isinstance(value, float) else str(value)
