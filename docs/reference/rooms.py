"""docs/rooms.md and its picture: the rooms of the house on their floors, as the tests hold them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from docs.reference.drawing import GREEN, PALE, PLAIN, STRONG, Drawing
from tests.test_architecture import FLOORS, HOUSE, KNOW_MINDSPORE, LEAVES

_FOLDER = Path(__file__).resolve().parents[1]
_HEAD = """\
# Every room of the house

<!-- Written by `make docs` from the floors in tests/test_architecture.py and the modules' own
first sentences; edits are lost. -->

From the roof to the ground: a room may import from its own floor and from those below it, which a
test holds. [architecture.md](architecture.md) explains the picture.

| floor | room | what lives there |
|---|---|---|
"""
_ENGLISH = {
    "title": "The floors of the house: imports run downwards",
    "file": "one file",
    "package": "a package",
    "mindspore": "imports MindSpore",
    "leaves": "named by _target_ in YAML; imports data and errors only",
}
_CHINESE = {
    "title": "模块分层：导入只能向下",
    "file": "单个文件",
    "package": "包",
    "mindspore": "会导入 MindSpore",
    "leaves": "只由 YAML 的 _target_ 引用；只导入 data 和 errors",
}
_WIDTH, _LEFT, _ROW, _HIGH = 860, 44, 27, 21


def files() -> dict[Path, str]:
    """The page and the pictures by their path."""
    return {
        _FOLDER / "rooms.md": _page(),
        _FOLDER / "rooms.svg": _drawn(_ENGLISH),
        _FOLDER / "rooms.zh-CN.svg": _drawn(_CHINESE),
    }


def _page() -> str:
    rows = [
        f"| {number} | `{_place(room)}` | {_said(room)} |"
        for number, rooms in enumerate(FLOORS, 1)
        for room in rooms
    ]
    rows += [f"|  | `{_place(room)}` | {_said(room)} |" for room in LEAVES]
    return _HEAD + "\n".join(rows) + "\n"


def _place(room: str) -> str:
    return f"pipeline/{room}/" if (HOUSE / room).is_dir() else f"pipeline/{room}.py"


def _said(room: str) -> str:
    """The first sentence of the room, as its module says it."""
    path = HOUSE / room / "__init__.py" if (HOUSE / room).is_dir() else HOUSE / f"{room}.py"
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    said = ast.get_docstring(ast.parse(text)) or ""
    return " ".join(said.partition("\n\n")[0].split()).replace("|", "\\|")


def _drawn(words: dict[str, str]) -> str:
    drawing = Drawing(_WIDTH, words["title"])
    drawing.text(16, 28, words["title"], size=16)
    x = 440
    for kind, fill in (("file", PLAIN), ("package", STRONG), ("mindspore", GREEN)):
        drawing.box(x, 15, 18, 16, fill)
        drawing.text(x + 26, 28, words[kind], size=12)
        x += 140
    y = 48
    for number, rooms in enumerate(FLOORS, 1):
        drawing.text(30, y + 15, str(number), size=11, colour=PALE, anchor="end")
        y = _draw_floor(drawing, rooms, y)
    drawing.arrow((10, 48), (10, y - 8))
    y = _draw_floor(drawing, LEAVES, y + 8)
    drawing.text(_LEFT + 190, y - _ROW + 15, words["leaves"], size=12, colour=PALE)
    return drawing.svg()


def _draw_floor(drawing: Drawing, rooms: tuple[str, ...], y: int) -> int:
    """Draws the rooms side by side, in a second row where the width ends; gives the next y."""
    for x, line, room, width in _placed(rooms):
        drawing.box(x, y + line * _ROW, width, _HIGH, _fill(room))
        drawing.text(x + width // 2, y + line * _ROW + 15, room, size=12, anchor="middle")
    return y + (1 + max(line for _, line, _, _ in _placed(rooms))) * _ROW


def _placed(rooms: tuple[str, ...]) -> Iterator[tuple[int, int, str, int]]:
    x, line = _LEFT, 0
    for room in rooms:
        width = 18 + 7 * len(room)
        if x + width > _WIDTH - 10:
            x, line = _LEFT, line + 1
        yield x, line, room, width
        x += width + 8


def _fill(room: str) -> str:
    if room in KNOW_MINDSPORE:
        return GREEN
    return STRONG if (HOUSE / room).is_dir() else PLAIN
