"""How the time of unpacking grows with the number of members."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Iterator

from benchmarks import data, tools
from benchmarks.measure import Contestant, in_turn, work_s
from benchmarks.results import Goal, Result, row
from benchmarks.setting import Setting

_COUNTS = (1_000, 3_000, 10_000, 30_000, 100_000)
_MOST_GROWTH = 1.5


def measure(setting: Setting) -> Iterator[Result]:
    """Archives of 1,000 to 100,000 members of 1 kB."""
    contestants = []
    for count in _COUNTS:
        archive = data.make(f"members-{count}.zip", setting.data / tools.BUCKET)
        check = tools.holds(count, count * data.MEMBER_BYTES)
        command = tools.child("extract", str(archive), "{target}/out")
        contestants.append(Contestant(f"{count:,} members", command, check=check))
    found = in_turn(contestants, rounds=setting.rounds, folder=setting.scratch)
    rows, each_us = [], []
    for count, (name, timing) in zip(_COUNTS, found.items()):
        seconds = timing.of(work_s)
        each_us.append(statistics.median(seconds) / count * 1e6)
        one = row(name, timing, seconds_of=work_s, is_ours=True)
        rows.append(dataclasses.replace(one, note=f"{each_us[-1]:.1f} µs each"))
    yield Result(
        name="growth",
        title="Unpacking 1,000 to 100,000 members of 1 kB",
        explanation="`pipeline.archives.extract` alone, zips of deflated members of 1 kB.",
        rows=tuple(rows),
        goals=(
            Goal(
                "time per member of 100,000, to that of 10,000",
                each_us[-1] / each_us[_COUNTS.index(10_000)],
                _MOST_GROWTH,
            ),
        ),
    )
