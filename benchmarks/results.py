"""What a benchmark found: rows beside each other, and the goals that they are to meet."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from typing import Optional

from benchmarks.measure import Timing, Usage, cpu_s, ratio, wall_s


@dataclass(frozen=True)
class Row:
    """One thing measured: its seconds, one entry per round, and how it compares.

    `ratio` and `cpu_ratio` are medians of the ratios round by round to what the table compares
    with. None: not measured.
    """

    name: str
    seconds: tuple[float, ...]
    ratio: Optional[float] = None
    cpu_s: Optional[float] = None
    cpu_ratio: Optional[float] = None
    peak_bytes: Optional[int] = None
    sent_bytes: Optional[int] = None
    note: str = ""
    is_ours: bool = False

    @property
    def median_s(self) -> float:
        """The middle of the rounds."""
        return statistics.median(self.seconds)


@dataclass(frozen=True)
class Goal:
    """A number that was promised beside the one that was found."""

    text: str
    found: float
    limit: float
    unit: str = ""
    is_least: bool = False

    @property
    def is_met(self) -> bool:
        """Whether what was found is at most, or with `is_least` at least, the limit."""
        return self.found >= self.limit if self.is_least else self.found <= self.limit

    @property
    def verdict(self) -> str:
        """Both numbers and what follows from them, in words."""
        bound = "at least" if self.is_least else "at most"
        limit = f"{bound} {_number(self.limit)}{self.unit}"
        met = "met" if self.is_met else "NOT met"
        return f"{self.text}: {_number(self.found)}{self.unit} (goal: {limit}; {met})"


@dataclass(frozen=True)
class Result:
    """One table: what was compared and how, what was found, what was left out and why.

    Its picture shows one `quantity` of the rows: median_s, peak_bytes or sent_bytes.
    """

    name: str
    title: str
    explanation: str
    rows: tuple[Row, ...]
    against: str = ""
    goals: tuple[Goal, ...] = ()
    notes: tuple[str, ...] = ()
    quantity: str = "median_s"


def row(
    name: str,
    timing: Timing,
    *,
    other: Timing | None = None,
    seconds_of: Callable[[Usage], float] = wall_s,
    is_ours: bool = False,
) -> Row:
    """One contestant's row; `seconds_of` picks which of its seconds, and the other's, count.

    CPU time is that of whole processes, and is left to the rows that are about those.
    """
    seconds = timing.of(seconds_of)
    is_whole = seconds == timing.of(wall_s)
    cpu = timing.of(cpu_s)
    return Row(
        name=name,
        seconds=seconds,
        ratio=ratio(seconds, other.of(seconds_of)) if other else None,
        cpu_s=statistics.median(cpu) if is_whole else None,
        cpu_ratio=ratio(cpu, other.of(cpu_s)) if other and is_whole else None,
        peak_bytes=timing.peak_bytes if is_whole else None,
        is_ours=is_ours,
    )


def _number(value: float) -> str:
    digits = 3 if 0 < abs(value) < 0.1 else 2 if abs(value) < 10 else 0
    return f"{value:.{digits}f}"
