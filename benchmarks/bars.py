"""Bars as an SVG picture whose colours can be read on white and on black."""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape

from benchmarks.results import Result, Row

_TEXT, _OURS, _OTHERS = "#6e7781", "#2f81f7", "#8c959f"
_WIDTH, _LABEL_WIDTH, _VALUE_WIDTH = 860, 300, 90
_BAR_HEIGHT, _BAR_STEP, _HEAD_HEIGHT, _GAP = 16, 24, 30, 14


def draw(results: Sequence[Result]) -> str:
    """Every row of every result as a bar, each result to a scale of its own."""
    parts: list[str] = []
    top = 0
    for result in results:
        parts += _group(result, top)
        top += _HEAD_HEIGHT + _BAR_STEP * len(result.rows) + _GAP
    title = escape("; ".join(result.title for result in results))
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {top}" '
            f'width="{_WIDTH}" height="{top}" role="img" font-family="sans-serif" font-size="13">',
            f"<title>{title}</title>",
            *parts,
            "</svg>\n",
        ]
    )


def _group(result: Result, top: int) -> list[str]:
    lengths = [_length(row, result) for row in result.rows]
    longest = max(lengths) or 1.0
    room = _WIDTH - _LABEL_WIDTH - _VALUE_WIDTH
    parts = [
        f'<text x="0" y="{top + 18}" fill="{_TEXT}" font-weight="bold">'
        f"{escape(result.title)}</text>"
    ]
    unit = "s" if result.quantity == "median_s" else "MB"
    for number, (row, length) in enumerate(zip(result.rows, lengths)):
        y = top + _HEAD_HEIGHT + number * _BAR_STEP
        width = max(1.0, length / longest * room)
        colour = _OURS if row.is_ours else _OTHERS
        parts += [
            f'<text x="{_LABEL_WIDTH - 8}" y="{y + 13}" fill="{_TEXT}" text-anchor="end">'
            f"{escape(row.name)}</text>",
            f'<rect x="{_LABEL_WIDTH}" y="{y}" width="{width:.1f}" height="{_BAR_HEIGHT}" '
            f'rx="2" fill="{colour}"/>',
            f'<text x="{_LABEL_WIDTH + width + 6:.1f}" y="{y + 13}" fill="{_TEXT}">'
            f"{length:.3g} {unit}</text>",
        ]
    return parts


def _length(row: Row, result: Result) -> float:
    found = getattr(row, result.quantity) or 0
    return float(found) if result.quantity == "median_s" else found / 1e6
