"""Several runs side by side: what differs, how good they are, how they learned."""

from __future__ import annotations

import codecs
import sys
from collections.abc import Sequence
from typing import Any

from pipeline.commands.runs import chart, curves, differences
from pipeline.commands.runs.chart import COLOURS, LETTERS, Look
from pipeline.commands.runs.listing import STYLES, local_time
from pipeline.commands.runs.record import Run
from pipeline.messages import console, tables
from pipeline.messages.spelling import shortened
from pipeline.messages.tables import Column

_LONGEST = 60
_WIDEST_CHART, _NARROWEST_CHART = 72, 20
# The edges' values stand before a chart.
_MARGIN = 12
_BEST = " *"


def as_plain(runs: Sequence[Run]) -> dict[str, Any]:
    """The comparison for a program."""
    config = [dict(differences.flat(differences.config_of(run))) for run in runs]
    keys = [key for key, _ in differences.of_configuration(runs)]
    return {
        "runs": [run.as_plain() for run in runs],
        "configuration": {key: [values.get(key) for values in config] for key in keys},
        "surroundings": dict(differences.of_surroundings(runs)),
        "metrics": {
            name: {"values": values, "best": [runs[i].id for i in sorted(best)]}
            for name, values, best in differences.metrics(runs)
        },
        "curves": curves.curves_of(runs),
    }


def show(runs: Sequence[Run]) -> None:
    """The comparison for people; each run has a letter."""
    _show_legend(runs)
    _show_differences("configuration", differences.of_configuration(runs), len(runs))
    _show_metrics(runs)
    _show_differences("surroundings", differences.of_surroundings(runs), len(runs))
    for name, drawn in curves.curves_of(runs).items():
        lines = chart.draw(drawn, _look())
        console.say(f"\n{_told(name)} by epoch", "bold")
        for line in lines:
            console.output().print(line)


def _show_legend(runs: Sequence[Run]) -> None:
    colours = {LETTERS[i]: COLOURS[i % len(COLOURS)] for i in range(len(runs))}
    columns = [
        Column("", is_kept=True, styles=colours),
        Column("run", is_kept=True),
        Column("status", is_kept=True, styles=STYLES),
        Column("when"),
    ]
    rows = [[LETTERS[i], r.id, r.status, local_time(r.when)] for i, r in enumerate(runs)]
    tables.show(columns, rows)


def _show_differences(title: str, rows: Sequence[differences.Row], count: int) -> None:
    if not rows:
        console.say(f"\n{title}: no difference", "bold")
        return
    texts = [[key, *(shortened(word, _LONGEST) for word in words)] for key, words in rows]
    console.say(f"\n{title}", "bold")
    _show_side_by_side("key", texts, count)


def _show_metrics(runs: Sequence[Run]) -> None:
    found = differences.metrics(runs)
    if not found:
        console.say("\nmetrics: none was measured", "bold")
        return
    console.say(f"\nmetrics ({_BEST.strip()} is best)", "bold")
    rows = [
        [name, *(_number(value, is_best=i in best) for i, value in enumerate(values))]
        for name, values, best in found
    ]
    _show_side_by_side("metric", rows, len(runs), is_number=True)


def _show_side_by_side(
    name: str, rows: Sequence[Sequence[str]], count: int, *, is_number: bool = False
) -> None:
    columns = [Column(name, is_kept=True)]
    columns += [Column(LETTERS[i], is_number=is_number, is_kept=True) for i in range(count)]
    tables.show(columns, rows, indent=2)


def _told(column: str) -> str:
    """A column of the record for people.

    >>> _told("test_loss"), _told("loss")
    ('loss on the test set', 'loss on the training batches')
    """
    is_test = column.startswith("test_")
    return f"{column[5:]} on the test set" if is_test else f"{column} on the training batches"


def _number(value: float | None, *, is_best: bool) -> str:
    if value is None:
        return "-" + " " * len(_BEST)
    return f"{value:.6g}{_BEST if is_best else ' ' * len(_BEST)}"


def _look() -> Look:
    output = console.output()
    room = output.width - _MARGIN if output.is_terminal else _WIDEST_CHART
    width = max(_NARROWEST_CHART, min(_WIDEST_CHART, room))
    is_coloured = output.is_terminal and output.color_system is not None and not output.no_color
    return Look(width, is_fine=is_coloured and _is_unicode())


def _is_unicode() -> bool:
    encoding = getattr(sys.stdout, "encoding", None) or "ascii"
    try:
        return codecs.lookup(encoding).name.startswith("utf")
    except LookupError:
        return False
