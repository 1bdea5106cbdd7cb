"""Whether a process still gets anywhere, as far as the system can tell from outside.

moxing tells nothing while it copies. What a process reads and writes, and the time it
computes, shows uploads too, which leave no trace on the local disk.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

# A call that hangs may still print and poll; it counts as moving from here on.
_WORK_BYTES = 16 << 10
_WORK_S = 0.1

# Whatever seems to move: a copy that is slower than this is given up.
SLOWEST_BYTES_PER_S = 128 << 10
SLOWEST_FILES_PER_S = 10


class Watch:
    """Looks at a process, and at what the caller sees of its work, again and again."""

    def __init__(self, pid: int, *, stall_s: float, longest_s: float) -> None:
        """Takes how long nothing may move, and how long it may take in all."""
        self._pid = pid
        self._stall_s = stall_s
        self._ends_s = time.monotonic() + longest_s
        self._begin(units=work_units(pid), seen_bytes=0)

    def _begin(self, *, units: float | None, seen_bytes: int) -> None:
        self._units, self._seen_bytes = units, seen_bytes
        self._quiet_since_s = time.monotonic()

    def is_stalled(self, seen_bytes: int = 0) -> bool:
        """Whether too long nothing has moved, `seen_bytes` of the result among it."""
        now_s = time.monotonic()
        if now_s > self._ends_s:
            return True
        units = work_units(self._pid)
        has_worked = abs((units or 0) - (self._units or 0)) >= 1
        # A system that shows no numbers leaves the longest time as the only limit.
        if units is None or has_worked or seen_bytes != self._seen_bytes:
            self._begin(units=units, seen_bytes=seen_bytes)
        return now_s - self._quiet_since_s > self._stall_s


def work_units(pid: int) -> float | None:
    """What the process and its children have read, written and computed, one unit being little.

    None where the system does not tell.
    """
    try:
        return sum(_units_of(Path("/proc", str(member))) for member in _family(pid))
    except OSError:
        return None


def _units_of(process: Path) -> float:
    counts = dict(line.split(":") for line in (process / "io").read_text().splitlines())
    # The name, in brackets, may hold blanks; user and system time are 12 and 13 fields on.
    times = (process / "stat").read_text().rpartition(")")[2].split()[11:13]
    seconds = sum(map(int, times)) / os.sysconf("SC_CLK_TCK")
    return (int(counts["rchar"]) + int(counts["wchar"])) / _WORK_BYTES + seconds / _WORK_S


def _family(pid: int) -> Iterator[int]:
    """The process and all below it; those that end meanwhile are left out."""
    yield pid
    with contextlib.suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):
                for child in (thread / "children").read_text().split():
                    yield from _family(int(child))
