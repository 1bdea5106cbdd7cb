"""Tables for people."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from pipeline.messages import console, tables
from pipeline.messages.tables import Column

COLUMNS = (
    Column("run", is_kept=True),
    Column("seconds", is_number=True),
    Column("nothing"),
    Column("place"),
)
ROWS = (("train-lenet5", "3.5", "", "/exports/train"), ("数据", "12.0", "", ""))


def shown(monkeypatch: pytest.MonkeyPatch, width: int | None) -> tuple[list[str], list[str]]:
    """The lines of the table on a terminal of this width, or in a pipe, and what had no room."""
    file = io.StringIO()
    output = Console(
        file=file, width=width or 200, force_terminal=width is not None, color_system=None,
        soft_wrap=True,
    )  # fmt: skip
    monkeypatch.setattr(console, "output", lambda: output)
    left_out = tables.show(COLUMNS, ROWS)
    return file.getvalue().splitlines(), left_out


def test_columns_are_aligned_and_empty_ones_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """By what a terminal shows of each character: Chinese ones are twice as wide."""
    lines, left_out = shown(monkeypatch, None)

    assert left_out == []
    assert lines == [
        "run           seconds  place",
        "train-lenet5      3.5  /exports/train",
        "数据             12.0",
    ]


def test_without_room_columns_go_from_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A text is never cut: what is kept stays whole on the narrowest terminal."""
    lines, left_out = shown(monkeypatch, 25)
    narrow, both = shown(monkeypatch, 5)

    assert (lines[1], left_out) == ("train-lenet5      3.5", ["place"])
    assert (narrow[1], both) == ("train-lenet5", ["seconds", "place"])


def test_no_credential_stands_in_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it was made of."""
    file = io.StringIO()
    monkeypatch.setattr(console, "output", lambda: Console(file=file, width=200))

    tables.show([Column("url")], [["https://me:word-for-tests@host/a"]])

    assert "word-for-tests" not in file.getvalue()
