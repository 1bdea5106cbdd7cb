"""Results on the terminal, and their columns."""

from __future__ import annotations

from collections.abc import Callable

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from benchmarks.results import Result, Row

_COLUMNS: dict[str, Callable[[Row], str]] = {
    "median s": lambda row: f"{row.median_s:.3f}",
    "from": lambda row: f"{min(row.seconds):.3f}",
    "to": lambda row: f"{max(row.seconds):.3f}",
    "ratio": lambda row: _number(row.ratio, "{:.2f}"),
    "CPU s": lambda row: _number(row.cpu_s, "{:.2f}"),
    "CPU ratio": lambda row: _number(row.cpu_ratio, "{:.2f}"),
    "peak MB": lambda row: _number(row.peak_bytes and row.peak_bytes / 1e6, "{:.0f}"),
    "sent MB": lambda row: _number(row.sent_bytes and row.sent_bytes / 1e6, "{:.1f}"),
    "": lambda row: row.note,
}


def columns(result: Result) -> dict[str, list[str]]:
    """The columns that at least one row fills, as text by their heads."""
    found = {head: [cell(row) for row in result.rows] for head, cell in _COLUMNS.items()}
    return {head: cells for head, cells in found.items() if any(cells)}


def show(result: Result, console: Console) -> None:
    """Prints one table, what was left out, and how the goals stand."""
    title = f"{result.title} (ratios to {result.against})" if result.against else result.title
    table = Table("what", title=title, box=box.SIMPLE)
    found = columns(result)
    for head in found:
        table.add_column(head, justify="right" if head else "left")
    for row, *cells in zip(result.rows, *found.values()):
        table.add_row(row.name, *cells)
    console.print(table)
    for note in result.notes:
        console.print(Text(f"  {note}", style="dim"))
    for goal in result.goals:
        console.print(Text(f"  {goal.verdict}", style="green" if goal.is_met else "bold red"))


def _number(value: float | None, form: str) -> str:
    return "" if value is None else form.format(value)
