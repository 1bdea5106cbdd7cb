"""What people read on the terminal, and elsewhere."""

from __future__ import annotations

import io
import re
import sys

import pytest

from pipeline.messages import console
from pipeline.messages.console import PlainProgress


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Yes."""
        return True


@pytest.fixture
def seconds(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that shows what stands in the list."""
    shown = [0.0]
    monkeypatch.setattr(console.time, "monotonic", lambda: shown[0])
    return shown


def test_progress_elsewhere_is_a_line_every_ten_seconds(seconds: list[float]) -> None:
    """Amount, share, rate and time left, and never more often than every ten seconds."""
    said: list[str] = []
    advance = PlainProgress("fetch a.zip", 4e6, "B", say=said.append)

    for seconds[0] in (4.0, 10.0, 12.0, 20.0):
        advance(1e6)

    assert said == [
        "fetch a.zip: 2.0 MB of 4.0 MB (50%), 200.0 kB/s, 10.0 s left",
        "fetch a.zip: 4.0 MB of 4.0 MB (100%), 200.0 kB/s, 0.0 s left",
    ]


def test_progress_of_unknown_length_has_no_end(seconds: list[float]) -> None:
    """Where the total is not known, only amount and rate are shown."""
    said: list[str] = []
    advance = PlainProgress("extract a.zip", None, "samples", say=said.append)
    seconds[0] = 10.0

    advance(2500)

    assert said == ["extract a.zip: 2,500 samples, 250 samples/s"]


def test_progress_on_a_terminal_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bar shows the label while it goes on, and is wiped at the end."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")

    with console.progress("train", 100, "samples") as advance:
        advance(50)

    assert "train" in terminal.getvalue()
    assert terminal.getvalue().endswith("\x1b[2K")


def test_a_row_elsewhere_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """However long, a row in a pipe is neither cut nor broken, and has no trailing blanks."""
    console.say_row("results", "/a" * 300, width=10, to_errors=False)
    console.say_row("cause", "", width=10, to_errors=True)

    said = capsys.readouterr()
    assert said.out == "results   " + "/a" * 300 + "\n"
    assert all(line == line.rstrip() for line in said.err.splitlines())


def narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Standard output is a terminal of 50 columns."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("COLUMNS", "50")
    monkeypatch.setenv("TERM", "xterm")
    return terminal


def shown(terminal: Terminal) -> list[str]:
    """Its lines, without colours."""
    return re.sub(r"\x1b\[[\d;]*m", "", terminal.getvalue()).split("\n")


def test_prose_on_a_terminal_is_set_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """Further lines of a row stand below its text; a long path in it stays whole."""
    text = f"{'word ' * 9} /{'path' * 20} end"
    narrow = narrow_terminal(monkeypatch)

    console.say_row("cause", text, width=8, to_errors=False, is_prose=True)

    first, second, third, fourth, _ = shown(narrow)
    assert first.startswith("cause   word word")
    assert second == "        word"
    assert third == "        /" + "path" * 20
    assert fourth == "        end"


def test_a_command_on_a_terminal_can_be_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is no prose is one line, which the terminal itself goes on with below."""
    narrow = narrow_terminal(monkeypatch)

    console.say_row("next", "python run.py " + "a=b " * 30, width=6, to_errors=False)

    assert shown(narrow) == ["next  python run.py " + "a=b " * 29 + "a=b", ""]


def test_what_is_said_carries_no_secret_and_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    """Square brackets stay as they are, and a signed URL loses its query."""
    console.say("[bold]a[/bold] https://host/a?Signature=word")

    assert capsys.readouterr().out == "[bold]a[/bold] https://host/a?***\n"


def test_a_stream_that_knows_only_ascii_gets_escapes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chinese text on a terminal that cannot show it is escaped instead of ending the job."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)

    console.bear_any_text()
    console.say("数据")

    stream.flush()
    assert stream.buffer.getvalue() == b"\\u6570\\u636e\n"  # type: ignore[attr-defined]
