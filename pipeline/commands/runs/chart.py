"""Curves over each other in a terminal: in colours and fine dots, or in letters.

Letters tell the curves apart where there are no colours, and are in every encoding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.text import Text

from pipeline.commands.runs.curves import Points

COLOURS = ("cyan", "magenta", "yellow", "green", "blue", "red", "bright_black", "white")
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_SHARED = "*"

# The dots of a braille character, by column and row; their sum is added to U+2800.
_BRAILLE = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
_AXIS_WIDTH = 9


@dataclass(frozen=True)
class Look:
    """How large a chart is, in characters, and whether it is drawn in fine dots and colours."""

    width: int
    height: int = 8
    is_fine: bool = False

    @property
    def dots(self) -> tuple[int, int]:
        """How many dots lie in a character, across and down."""
        return (2, 4) if self.is_fine else (1, 1)


def draw(curves: Sequence[Points], look: Look) -> list[Text]:
    """The lines of a chart of (x, y) points, with the values of its edges; empty without points."""
    points = [point for curve in curves for point in curve]
    if not points:
        return []
    xs, ys = [x for x, _ in points], [y for _, y in points]
    canvas = _Canvas(look, (min(xs), max(xs)), (min(ys), max(ys)))
    for number, curve in enumerate(curves):
        canvas.add(number, curve)
    edges = {0: f"{max(ys):.4g}", look.height - 1: f"{min(ys):.4g}"}
    lines = []
    for row in range(look.height):
        edge = Text.assemble((f"{edges.get(row, ''):>{_AXIS_WIDTH}} ", "dim"))
        lines.append(edge.append_text(canvas.line(row)))
    first, last = f"{min(xs):g}", f"{max(xs):g}"
    gap = " " * max(1, look.width - len(first) - len(last))
    lines.append(Text(f"{'':{_AXIS_WIDTH}} {first}{gap}{last}", style="dim"))
    return lines


class _Canvas:
    """What has been drawn, dot by dot; of each character the curves that pass through it."""

    def __init__(
        self, look: Look, x_range: tuple[float, float], y_range: tuple[float, float]
    ) -> None:
        self.look = look
        self.x_range, self.y_range = x_range, y_range
        self.dots: dict[tuple[int, int], int] = {}
        self.owners: dict[tuple[int, int], set[int]] = {}

    def add(self, number: int, curve: Points) -> None:
        """The curve is drawn, with straight lines between its points."""
        places = [self._place(x, y) for x, y in curve]
        for (x0, y0), (x1, y1) in zip(places, places[1:] or places):
            steps = max(abs(x1 - x0), abs(y1 - y0), 1)
            for step in range(steps + 1):
                x, y = x0 + (x1 - x0) * step / steps, y0 + (y1 - y0) * step / steps
                self._mark(number, round(x), round(y))

    def line(self, row: int) -> Text:
        """One line of characters."""
        text = Text()
        for column in range(self.look.width):
            owners = self.owners.get((column, row), set())
            text.append(*self._character((column, row), owners))
        text.rstrip()
        return text

    def _character(self, cell: tuple[int, int], owners: set[int]) -> tuple[str, str]:
        if not owners:
            return " ", ""
        if self.look.is_fine:
            # Where curves cross, the first one keeps its colour.
            return chr(0x2800 + self.dots[cell]), COLOURS[min(owners) % len(COLOURS)]
        return (_SHARED if len(owners) > 1 else LETTERS[min(owners) % len(LETTERS)]), ""

    def _place(self, x: float, y: float) -> tuple[int, int]:
        across, down = self.look.dots
        columns, rows = self.look.width * across - 1, self.look.height * down - 1
        return round(columns * _share(x, self.x_range)), round(rows * (1 - _share(y, self.y_range)))

    def _mark(self, number: int, x: int, y: int) -> None:
        across, down = self.look.dots
        cell = (x // across, y // down)
        dot = _BRAILLE[x % across][y % down]
        self.dots[cell] = self.dots.get(cell, 0) | dot
        self.owners.setdefault(cell, set()).add(number)


def _share(value: float, limits: tuple[float, float]) -> float:
    """How far between the limits the value lies, from 0 to 1; in the middle of none."""
    low, high = limits
    return (value - low) / (high - low) if high > low else 0.5
