"""docs/path.svg: the way of data from where they lie to where results go, in both languages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from docs.reference.drawing import GREEN, PALE, PLAIN, STRONG, Drawing

_FOLDER = Path(__file__).resolve().parents[1]
_WIDTH, _BOX, _HIGH = 900, 168, 46
# The left edge of each column: source, data/, memory, outputs/, exports/.
_SOURCE, _DATA, _MEMORY, _RUN, _EXPORT = 12, 232, 452, 592, 772
_ROWS = (62, 130, 198)

_ENGLISH = {
    "title": "The path that data travel",
    "source": "bucket, web, disk",
    "memory": "memory",
    "archive": ("data.zip", "an archive"),
    "folder": ("data/", "a folder"),
    "mount": ("/mount", "used in place"),
    "download": ("downloads/data.zip", "whole, verified"),
    "unpacked": ("datasets/data-1f3a…/", "complete or absent"),
    "checkpoints": ("checkpoints/", "after each epoch"),
    "metrics": ("metrics.json", ""),
    "predictions": ("predictions.csv", ""),
    "exported": ("compared,", "manifest last"),
}
_CHINESE = {
    "title": "数据走过的路",
    "source": "桶、网站、磁盘",
    "memory": "内存",
    "archive": ("data.zip", "压缩包"),
    "folder": ("data/", "目录"),
    "mount": ("/mount", "挂载，原地使用"),
    "download": ("downloads/data.zip", "完整，已校验"),
    "unpacked": ("datasets/data-1f3a…/", "要么完整，要么不存在"),
    "checkpoints": ("checkpoints/", "每个 epoch 之后"),
    "metrics": ("metrics.json", ""),
    "predictions": ("predictions.csv", ""),
    "exported": ("逐个核对，", "manifest 最后"),
}
Words = dict[str, Any]


def files() -> dict[Path, str]:
    """The pictures by their path."""
    return {
        _FOLDER / "path.svg": _drawn(_ENGLISH),
        _FOLDER / "path.zh-CN.svg": _drawn(_CHINESE),
    }


def _drawn(words: Words) -> str:
    drawing = Drawing(_WIDTH, str(words["title"]))
    heads = {
        _SOURCE: words["source"],
        _DATA: "data/",
        _MEMORY: words["memory"],
        _RUN: "outputs/<run id>/",
        _EXPORT: "exports/<run id>/",
    }
    for x, text in heads.items():
        drawing.text(x, 32, str(text), size=13, colour=PALE)
    _draw_inputs(drawing, words)
    _draw_results(drawing, words)
    return drawing.svg()


def _draw_inputs(drawing: Drawing, words: Words) -> None:
    first, second, third = _ROWS
    for y, name in ((first, "archive"), (second, "folder"), (third, "mount")):
        _draw_box(drawing, _SOURCE, y, 130, words[name], PLAIN)
    _draw_box(drawing, _DATA, first, _BOX, words["download"], PLAIN)
    _draw_box(drawing, _DATA, second, _BOX, words["unpacked"], PLAIN)
    for y in (first, second):
        drawing.arrow((143, y + 23), (_DATA - 2, y + 23))
        drawing.text(187, y + 17, "fetch", size=12, anchor="middle")
    drawing.arrow((_DATA + 84, first + _HIGH + 1), (_DATA + 84, second - 2))
    drawing.text(_DATA + 92, first + _HIGH + 15, "extract", size=12)
    drawing.arrow((_DATA + _BOX + 1, second + 23), (_MEMORY - 2, second + 23))
    drawing.arrow((143, third + 23), (_MEMORY + 45, third + 23), (_MEMORY + 45, second + _HIGH + 2))
    drawing.box(_MEMORY, second, 90, _HIGH, STRONG)
    drawing.text(_MEMORY + 45, second + 28, "build", size=15, anchor="middle")


def _draw_results(drawing: Drawing, words: Words) -> None:
    rows = zip(_ROWS, ("train", "evaluate", "infer"), ("checkpoints", "metrics", "predictions"))
    middle = _ROWS[1] + 23
    for y, stage, name in rows:
        _draw_box(drawing, _RUN, y, 136, words[name], GREEN)
        start = (_MEMORY + 91, middle + (y - _ROWS[1]) // 8)
        drawing.arrow(start, (_RUN - 2, y + 23))
        drawing.text(_RUN, y - 5, stage, size=12)
        drawing.arrow((_RUN + 137, y + 23), (_EXPORT - 2, middle + (y - _ROWS[1]) // 4))
    _draw_box(drawing, _EXPORT, _ROWS[1], 116, words["exported"], GREEN)
    drawing.text(_EXPORT, _ROWS[1] - 5, "export", size=12)


def _draw_box(
    drawing: Drawing, x: int, y: int, width: int, lines: tuple[str, str], fill: str
) -> None:
    drawing.box(x, y, width, _HIGH, fill)
    name, more = lines
    drawing.text(x + width // 2, y + (20 if more else 28), name, size=13, anchor="middle")
    drawing.text(x + width // 2, y + 37, more, size=11, colour=PALE, anchor="middle")
