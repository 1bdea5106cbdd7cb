"""Timing whole processes in turn, so that a machine that drifts does not favour either."""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Timing:
    """The seconds of each round, one entry per round."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle one."""
        return statistics.median(self.seconds)


def in_turn(
    commands: Mapping[str, Sequence[str]], *, rounds: int, folder: Path
) -> dict[str, Timing]:
    """Runs each command once to warm up, then all in turn, `rounds` times."""
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for number in range(rounds + 1):
        for name, command in commands.items():
            started = time.perf_counter()
            subprocess.run(command, cwd=folder, check=True, capture_output=True)
            if number:
                seconds[name].append(time.perf_counter() - started)
    return {name: Timing(tuple(found)) for name, found in seconds.items()}


def show(title: str, timings: Mapping[str, Timing], *, against: str) -> None:
    """A table with medians, spread, and the median of the pairwise ratios."""
    table = Table(
        "what", "median s", "from", "to", f"ratio to {against}", title=title, box=box.SIMPLE
    )
    for name, timing in timings.items():
        pairs = zip(timing.seconds, timings[against].seconds)
        ratio = statistics.median(mine / other for mine, other in pairs)
        low, high = min(timing.seconds), max(timing.seconds)
        table.add_row(name, f"{timing.median:.3f}", f"{low:.3f}", f"{high:.3f}", f"{ratio:.2f}")
    Console(width=100).print(table)
