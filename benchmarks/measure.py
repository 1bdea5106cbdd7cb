"""Running whole processes in turn, so that a machine that drifts does not favour any of them."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Optional

ROOT = Path(__file__).resolve().parent.parent

# A process that takes longer hangs; nothing that is measured here takes half of it.
LONGEST_S = 900.0

_RSS_UNIT_BYTES = 1 if sys.platform == "darwin" else 1024


class MeasuringError(RuntimeError):
    """A process that was to be measured failed, or left something else than it was to."""


@dataclass(frozen=True)
class Usage:
    """What one process took, from its start to its end, with all the children it waited for.

    `told_s` are the seconds that it says its work took, without its start; None: it says nothing.
    `peak_bytes` is the largest memory that it ever had; None: less than this process, which
    started it, and then the system does not tell.
    """

    wall_s: float
    cpu_s: float
    peak_bytes: Optional[int] = None
    told_s: float | None = None


@dataclass(frozen=True)
class Contestant:
    """A command to measure; `{target}` in it stands for an empty folder that is new each time.

    `check` looks whether the work was done; `told_s`, where given, finds in the folder how
    long the work alone took.
    """

    name: str
    command: Sequence[str]
    variables: Mapping[str, str] = field(default_factory=dict)
    check: Callable[[Path], None] = lambda _: None
    told_s: Optional[Callable[[Path], float]] = None


@dataclass(frozen=True)
class Timing:
    """What each round took, one entry per round."""

    rounds: tuple[Usage, ...]

    def of(self, quantity: Callable[[Usage], float]) -> tuple[float, ...]:
        """One quantity of each round."""
        return tuple(quantity(usage) for usage in self.rounds)

    @property
    def peak_bytes(self) -> Optional[int]:
        """The largest memory of all rounds; None where it is not known of each."""
        peaks = [usage.peak_bytes for usage in self.rounds if usage.peak_bytes is not None]
        return max(peaks) if len(peaks) == len(self.rounds) else None


def wall_s(usage: Usage) -> float:
    """The whole process's seconds."""
    return usage.wall_s


def cpu_s(usage: Usage) -> float:
    """The process's seconds on all cores, in the kernel too."""
    return usage.cpu_s


def work_s(usage: Usage) -> float:
    """The seconds of the work alone where the process tells them, else of the whole process."""
    return usage.wall_s if usage.told_s is None else usage.told_s


def own_peak_bytes() -> int:
    """The largest memory that this process ever had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _RSS_UNIT_BYTES


def ratio(mine: Sequence[float], other: Sequence[float]) -> float:
    """The median of the ratios round by round."""
    return statistics.median(a / b for a, b in zip(mine, other))


def run(
    command: Sequence[str], *, folder: Path, variables: Mapping[str, str] | None = None
) -> Usage:
    """What the command took.

    Raises:
        MeasuringError: it failed or hung; the text holds the end of what it printed.
    """
    paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    # As everybody has it: a program's own code is compiled once, and not at every start.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    environment.update(variables or {})
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output:
        started = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=output,
            stderr=subprocess.STDOUT,
        )  # fmt: skip
        with _ended(process):
            _, status, used = os.wait4(process.pid, 0)
            seconds = time.perf_counter() - started
            process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        printed = output.read()
    if process.returncode:
        raise MeasuringError(f"{' '.join(command)} gave {process.returncode}: {printed[-2000:]}")
    cpu = used.ru_utime + used.ru_stime
    told = _told(printed)
    seen_bytes = used.ru_maxrss * _RSS_UNIT_BYTES
    peak_bytes = told.get("peak_bytes", seen_bytes if seen_bytes > own_peak_bytes() else None)
    return Usage(seconds, cpu, peak_bytes, told.get("seconds"))


@contextlib.contextmanager
def _ended(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """The process is gone afterwards, also on Ctrl-C, and at the latest after LONGEST_S."""
    timer = threading.Timer(LONGEST_S, process.kill)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        if process.returncode is None:
            process.kill()
            process.wait()


def _told(printed: str) -> dict[str, Any]:
    """What a last line such as {"seconds": 0.5} says."""
    last = printed.rstrip().rpartition("\n")[2]
    return dict(json.loads(last)) if last.startswith('{"seconds": ') else {}


def in_turn(
    contestants: Sequence[Contestant], *, rounds: int, folder: Path, is_warm: bool = False
) -> dict[str, Timing]:
    """Runs each once to warm up, then all in turn, `rounds` times, each into an empty folder.

    What each leaves is checked every time and removed, outside the time that counts. `is_warm`:
    each warms up by itself, and tells the seconds after that.
    """
    found: dict[str, list[Usage]] = {contestant.name: [] for contestant in contestants}
    for number in range(1 if is_warm else 0, rounds + 1):
        for contestant in contestants:
            usage = _once(contestant, folder / "target")
            if number:
                found[contestant.name].append(usage)
    return {name: Timing(tuple(usages)) for name, usages in found.items()}


def _once(contestant: Contestant, target: Path) -> Usage:
    target.mkdir()
    try:
        command = [word.replace("{target}", str(target)) for word in contestant.command]
        usage = run(command, folder=target, variables=contestant.variables)
        contestant.check(target)
        return replace(usage, told_s=contestant.told_s(target)) if contestant.told_s else usage
    finally:
        shutil.rmtree(target)
