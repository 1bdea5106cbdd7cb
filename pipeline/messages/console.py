"""What people read on the terminal: one console for words, one for progress.

Results (plans, summaries) go to standard output, everything on the way to standard error,
so that a result can be piped.
"""

from __future__ import annotations

import io
import os
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from pipeline.disk.files import human_bytes
from pipeline.messages.masking import mask

PLAIN_INTERVAL_S = 10.0

# With less room than this for a text, the terminal's own wrapping reads better.
_NARROWEST = 30

Advance = Callable[[float], None]


def bear_any_text() -> None:
    """A terminal or pipe that cannot show a character gets its escape, never an error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def output() -> Console:
    """The console for results; wide enough that no path is cut where nobody looks."""
    return _console(sys.stdout)


def errors() -> Console:
    """The console for everything on the way."""
    return _console(sys.stderr)


class _Console(Console):
    """A console whose reader may leave: a job is not stopped by `| head`."""

    def on_broken_pipe(self) -> None:
        """What is said from now on goes nowhere; rich would end the process."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.file.fileno())
        os.close(nowhere)


def _console(stream: TextIO) -> Console:
    is_terminal = bool(getattr(stream, "isatty", lambda: False)())
    return _Console(
        file=stream,
        width=None if is_terminal else 200,
        highlight=False,
        soft_wrap=True,
        emoji=False,
    )


def say(text: str, style: str = "", *, to_errors: bool = False) -> None:
    """One line or more for people, without credentials and without markup."""
    (errors() if to_errors else output()).print(Text(mask(text), style=style))


def say_row(
    name: str,
    text: str,
    *,
    width: int,
    to_errors: bool,
    is_prose: bool = False,
    is_dim: bool = False,
) -> None:
    """A name and, from column `width` on, what there is to say of it.

    Prose is broken on a terminal, with further lines set in below the first. All else, such as
    commands and paths, stays one line, so that it can be copied.
    """
    console = errors() if to_errors else output()
    room = console.width - width
    is_wrapped = is_prose and console.is_terminal and room >= _NARROWEST
    for number, line in enumerate(_lines(mask(text), room if is_wrapped else 0)):
        start = f"{name if number == 0 else '':{width}}"
        row = Text.assemble((start, "dim"), (line, "dim" if is_dim else ""))
        row.rstrip()
        console.print(row)


def _lines(text: str, room: int) -> list[str]:
    """The text in lines of so many characters, 0 for any number; a path is never broken."""
    if not room:
        return text.splitlines()
    broken = (
        textwrap.wrap(line, room, break_long_words=False, break_on_hyphens=False)
        for line in text.splitlines()
    )
    return [part for parts in broken for part in parts]


@contextmanager
def progress(label: str, total: float | None, unit: str) -> Iterator[Advance]:
    """Shows how a long thing moves on: a bar on a terminal, elsewhere a line every ten seconds.

    `unit` is "B" for bytes, or a plural such as "samples".
    """
    console = errors()
    if console.is_terminal:
        with _bar(console, unit) as bar:
            task = bar.add_task(label, total=total, rate="")
            started = time.monotonic()

            def advance(amount: float) -> None:
                bar.update(task, advance=amount)
                done = bar.tasks[0].completed
                bar.update(task, rate=_rate(done, time.monotonic() - started, unit))

            yield advance
        return
    yield PlainProgress(label, total, unit, say=lambda text: say(text, to_errors=True))


class PlainProgress:
    """A line every ten seconds: how much, of how much, how fast, how long still."""

    def __init__(
        self, label: str, total: float | None, unit: str, *, say: Callable[[str], None]
    ) -> None:
        self.label, self.total, self.unit, self.say = label, total, unit, say
        self.done = 0.0
        self.started = self.last_said = time.monotonic()

    def __call__(self, amount: float) -> None:
        """Counts this much as done."""
        self.done += amount
        now = time.monotonic()
        if now - self.last_said >= PLAIN_INTERVAL_S:
            self.last_said = now
            self.say(self.line(now - self.started))

    def line(self, elapsed_s: float) -> str:
        """What stands on the line after this time."""
        done = _amount(self.done, self.unit)
        if self.total and self.unit != "B":
            done = f"{self.done:,.0f}"
        parts = [f"{self.label}: {done}"]
        if self.total:
            parts[0] += f" of {_amount(self.total, self.unit)} ({self.done / self.total:.0%})"
        parts.append(_rate(self.done, elapsed_s, self.unit))
        if self.total and self.done:
            left_s = elapsed_s * max(self.total - self.done, 0) / self.done
            parts.append(f"{human_seconds(left_s)} left")
        return ", ".join(parts)


def counted(number: float, noun: str) -> str:
    """A number and what it counts.

    >>> counted(1, "epoch"), counted(1437, "sample")
    ('1 epoch', '1,437 samples')
    """
    return f"{number:,.0f} {noun}{'' if number == 1 else 's'}"


def human_seconds(seconds: float) -> str:
    """A duration for people.

    >>> [human_seconds(s) for s in (0.04, 7.21, 83, 7384, 200_000)]
    ['0.0 s', '7.2 s', '1 min 23 s', '2 h 3 min', '2 d 7 h']
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest_s = divmod(int(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest_s} s"
    hours, rest_min = divmod(minutes, 60)
    return f"{hours} h {rest_min} min" if hours < 24 else f"{hours // 24} d {hours % 24} h"


def _bar(console: Console, unit: str) -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        TaskProgressColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        refresh_per_second=5 if unit else 1,
    )


def _amount(value: float, unit: str) -> str:
    return human_bytes(value) if unit == "B" else f"{value:,.0f} {unit}"


def _rate(done: float, elapsed_s: float, unit: str) -> str:
    return f"{_amount(done / elapsed_s if elapsed_s > 0 else 0.0, unit)}/s"
