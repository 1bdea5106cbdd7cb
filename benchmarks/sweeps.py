"""Several trainings from one command: two at a time beside one after another, and the job alone."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks import jobs
from benchmarks.measure import Contestant, MeasuringError, Timing, in_turn, ratio, wall_s
from benchmarks.results import Goal, Result, row
from benchmarks.setting import Setting

COUNT = 4
GOAL_RATIO, GOAL_OVERHEAD_S = 0.75, 1.5
_MOST_ROUNDS = 3
_EPOCHS = "mode.epochs=20"
_ALONE = "one job, by itself"
_ONE, _TWO = (f"{COUNT} jobs, sweep.jobs={at_a_time}" for at_a_time in (1, 2))


def measure(setting: Setting) -> Iterator[Result]:
    """Whole commands, each into empty folders, so that data are fetched and unpacked in all."""
    sweep = ("-m", f"seed=range(1,{COUNT + 1})", _EPOCHS)
    contestants = [
        Contestant(_ALONE, jobs.default("{target}", "seed=1", _EPOCHS), check=_checked(1)),
        *(
            Contestant(
                name,
                jobs.default("{target}", *sweep, f"sweep.jobs={at_a_time}"),
                check=_checked(COUNT),
            )
            for name, at_a_time in ((_ONE, 1), (_TWO, 2))
        ),
    ]
    rounds = min(setting.rounds, _MOST_ROUNDS)
    found = in_turn(contestants, rounds=rounds, folder=setting.scratch)
    yield Result(
        name="sweeps",
        title=f"A sweep of {COUNT} trainings on the digits, whole commands",
        explanation=(
            "LeNet-5, 20 epochs, another seed for each job. Every job is a process of its own; "
            "two at a time have a core each, one at a time has both. The overhead is what a job "
            "of the sweep takes longer than the same job started alone."
        ),
        rows=tuple(row(n, t, other=found[_ONE], is_ours=n != _ALONE) for n, t in found.items()),
        against=_ONE,
        goals=(
            Goal(
                "two jobs at a time to one after another",
                ratio(found[_TWO].of(wall_s), found[_ONE].of(wall_s)),
                GOAL_RATIO,
            ),
            Goal("overhead of a job, seconds", _overhead_s(found), GOAL_OVERHEAD_S),
        ),
    )


def _overhead_s(found: dict[str, Timing]) -> float:
    together, alone = found[_ONE].of(wall_s), found[_ALONE].of(wall_s)
    return statistics.median(t / COUNT - a for t, a in zip(together, alone))


def _checked(count: int) -> Callable[[Path], None]:
    """Looks whether so many runs are complete."""

    def check(target: Path) -> None:
        manifests = (target / "outputs").glob("*/manifest.json")
        read = [json.loads(path.read_text(encoding="utf-8")) for path in manifests]
        complete = [found["run_id"] for found in read if found["status"] == "complete"]
        if len(complete) != count:
            raise MeasuringError(f"{len(complete)} runs of {count} are complete in {target}")

    return check
