"""Tables for people: aligned columns without frames, in which every text stays whole.

On a terminal that is too narrow whole columns go, never parts of a text, so that an id or a path
can always be copied.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rich.cells import cell_len
from rich.text import Text

from pipeline.messages import console
from pipeline.messages.masking import mask

_GAP = "  "


@dataclass(frozen=True)
class Column:
    """One column; `styles` colour texts that stand in it, `is_kept` keeps it in any width."""

    name: str
    is_number: bool = False
    is_kept: bool = False
    styles: Mapping[str, str] = field(default_factory=dict)


def show(columns: Sequence[Column], rows: Sequence[Sequence[str]], *, indent: int = 0) -> list[str]:
    """Prints the rows below their heads; gives the names of columns that had no room.

    Columns without any text are left out, too, and not told of.
    """
    texts = [[mask(text) for text in row] for row in rows]
    filled = [i for i in range(len(columns)) if any(row[i] for row in texts)]
    widths = {i: _width(columns[i], [row[i] for row in texts]) for i in filled}
    shown = _fitting(columns, widths, room=_room(indent))
    chosen = [(i, columns[i]) for i in shown]
    lines = [[_cell(column, column.name, widths[i], "dim") for i, column in chosen]]
    for row in texts:
        lines.append([_cell(c, row[i], widths[i], c.styles.get(row[i], "")) for i, c in chosen])
    for cells in lines:
        line = Text(" " * indent) + Text(_GAP).join(cells)
        line.rstrip()
        console.output().print(line)
    return [columns[i].name for i in filled if i not in shown]


def _width(column: Column, texts: Sequence[str]) -> int:
    return max(cell_len(text) for text in (column.name, *texts))


def _room(indent: int) -> int | None:
    """How many characters a line has; None where nobody looks at the width."""
    output = console.output()
    return output.width - indent if output.is_terminal else None


def _fitting(
    columns: Sequence[Column], widths: Mapping[int, int], *, room: int | None
) -> list[int]:
    """The columns that fit side by side; the last ones go first."""
    shown = list(widths)
    for i in reversed(widths):
        total = sum(widths[j] + len(_GAP) for j in shown) - len(_GAP)
        if room is None or total <= room:
            break
        if not columns[i].is_kept:
            shown.remove(i)
    return shown


def _cell(column: Column, text: str, width: int, style: str) -> Text:
    padding = " " * (width - cell_len(text))
    return Text(padding + text if column.is_number else text + padding, style=style)
