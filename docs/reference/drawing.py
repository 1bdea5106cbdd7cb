"""Pictures as SVG that every viewer shows alike: boxes, words, arrows; no script, no font file."""

from __future__ import annotations

from html import escape

_FONT = "font-family='Helvetica, Arial, PingFang SC, Microsoft YaHei, Noto Sans CJK SC, sans-serif'"
INK, PALE, PLAIN, STRONG, GREEN = "#24292f", "#57606a", "#f6f8fa", "#dbeafe", "#dcfce7"


class Drawing:
    """Collects shapes; lengths are in pixels from the upper left corner."""

    def __init__(self, width: int, title: str) -> None:
        self.width, self.title, self.height = width, title, 0
        self.shapes: list[str] = []

    def box(self, x: int, y: int, width: int, height: int, fill: str = PLAIN) -> None:
        """A box with round corners."""
        self.shapes.append(
            f"<rect x='{x}' y='{y}' width='{width}' height='{height}' rx='5' "
            f"fill='{fill}' stroke='{PALE}' stroke-width='0.8'/>"
        )
        self.height = max(self.height, y + height)

    def text(
        self, x: int, y: int, text: str, *, size: int = 13, colour: str = INK, anchor: str = "start"
    ) -> None:
        """One line whose baseline is `y`."""
        self.shapes.append(
            f"<text x='{x}' y='{y}' font-size='{size}' fill='{colour}' "
            f"text-anchor='{anchor}'>{escape(text)}</text>"
        )
        self.height = max(self.height, y)

    def arrow(self, *points: tuple[int, int]) -> None:
        """A line through the points, with a head at the last."""
        through = " ".join(f"{x},{y}" for x, y in points)
        self.shapes.append(
            f"<polyline points='{through}' fill='none' stroke='{PALE}' stroke-width='1.4' "
            f"marker-end='url(#head)'/>"
        )

    def svg(self) -> str:
        """The whole picture, on white, so that a dark page shows it too."""
        height = self.height + 16
        head = (
            "<defs><marker id='head' markerWidth='9' markerHeight='8' refX='7' refY='4' "
            f"orient='auto'><path d='M0,0 L8,4 L0,8 z' fill='{PALE}'/></marker></defs>"
        )
        start = (
            f"<svg xmlns='http://www.w3.org/2000/svg' width='{self.width}' height='{height}' "
            f"viewBox='0 0 {self.width} {height}' role='img' {_FONT}>"
        )
        ground = f"<rect width='{self.width}' height='{height}' fill='#ffffff'/>"
        return "\n".join(
            [start, f"<title>{escape(self.title)}</title>", head, ground, *self.shapes, "</svg>\n"]
        )
