"""What people read on the terminal: one console for words, one for progress.

Results (plans, summaries) go to standard output, everything on the way to standard error,
so that a result can be piped.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

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

from pipeline.files import human_bytes
from pipeline.masking import mask

PLAIN_INTERVAL_S = 10.0

Advance = Callable[[float], None]


def output() -> Console:
    """The console for results; wide enough that no path is cut where nobody looks."""
    return _console(sys.stdout)


def errors() -> Console:
    """The console for everything on the way."""
    return _console(sys.stderr)


def _console(stream: object) -> Console:
    is_terminal = bool(getattr(stream, "isatty", lambda: False)())
    return Console(
        file=stream,  # type: ignore[arg-type]
        width=None if is_terminal else 200,
        highlight=False,
        soft_wrap=True,
        emoji=False,
    )


def say(text: str, style: str = "", *, to_errors: bool = False) -> None:
    """One line or more for people, without credentials and without markup."""
    (errors() if to_errors else output()).print(Text(mask(text), style=style))


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
        parts = [f"{self.label}: {_amount(self.done, self.unit)}"]
        if self.total:
            parts[0] += f" of {_amount(self.total, self.unit)} ({self.done / self.total:.0%})"
        parts.append(_rate(self.done, elapsed_s, self.unit))
        if self.total and self.done:
            left_s = elapsed_s * max(self.total - self.done, 0) / self.done
            parts.append(f"{human_seconds(left_s)} left")
        return ", ".join(parts)


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
