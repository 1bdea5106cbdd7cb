"""The list of runs, for people."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from pipeline.commands.runs.record import UNREADABLE, Run, headline
from pipeline.messages import console, tables
from pipeline.messages.tables import Column

STYLES = {
    "complete": "green",
    "failed": "red",
    "interrupted": "yellow",
    "running": "cyan",
    UNREADABLE: "red",
}
_FIRST = (Column("run", is_kept=True), Column("status", is_kept=True, styles=STYLES))
_REST = (
    Column("when"),
    Column("seconds", is_number=True),
    Column("cluster"),
    Column("dataset"),
    Column("model"),
    Column("exported"),
)


def show(runs: Sequence[Run]) -> None:
    """One line for each run, and the places of those that cannot be read."""
    metrics = {name for run in runs if (name := headline(run))}
    # Where all were measured alike, the name stands once, above.
    metric = Column(min(metrics) if len(metrics) == 1 else "metric", is_kept=True)
    rows = [_row(run, with_name=len(metrics) > 1) for run in runs]
    left_out = tables.show((*_FIRST, metric, *_REST), rows)
    for run in runs:
        if run.problem:
            console.say(f"{run.place}: {run.problem}", "red", to_errors=True)
    if left_out:
        text = f"no room here for: {', '.join(left_out)} (a wider terminal, `| less -S` or --json)"
        console.say(text, "dim", to_errors=True)


def local_time(when: str) -> str:
    """A time of a manifest on the clock of whoever reads it; empty where there is none.

    >>> local_time("")
    ''
    """
    if not when:
        return ""
    moment = datetime.fromisoformat(when.replace("Z", "+00:00"))
    return f"{moment.astimezone():%Y-%m-%d %H:%M}"


def _row(run: Run, *, with_name: bool) -> list[str]:
    name = headline(run)
    value = f"{run.metrics[name]:.4f}" if name else ""
    return [
        run.id,
        run.status,
        f"{name} {value}" if with_name and name else value,
        local_time(run.when),
        "" if run.seconds is None else f"{run.seconds:.1f}",
        *(run.fact(name) for name in ("cluster", "dataset", "model")),
        run.exported,
    ]
