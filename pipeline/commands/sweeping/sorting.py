"""By which metric the jobs of a sweep are compared, and which of them is better."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, Optional

from pipeline.commands.runs.record import is_less_better
from pipeline.commands.sweeping.record import JobRecord, SweepRecord
from pipeline.job.sweep import Sweep

Direction = Literal["max", "min"]
_FIRST = "accuracy"


def compared_by(sweep: Sweep, jobs: Sequence[JobRecord]) -> tuple[str, Direction]:
    """The metric and its direction: what the job says, else accuracy, else the first measured."""
    measured = list(dict.fromkeys(name for entry in jobs for name in entry.metrics))
    default = _FIRST if _FIRST in measured or not measured else measured[0]
    metric = sweep.metric or default
    return metric, sweep.direction or ("min" if is_less_better(metric) else "max")


def value_of(record: SweepRecord, entry: JobRecord) -> Optional[float]:
    """What the job measured of the sweep's metric; None where it did not."""
    return entry.metrics.get(record.metric)


def best_first(record: SweepRecord) -> list[JobRecord]:
    """The jobs, complete ones before all others, the better before the worse."""

    def place(entry: JobRecord) -> tuple[bool, float, int]:
        value = value_of(record, entry)
        sign = 1 if record.direction == "min" else -1
        return entry.status != "complete", math.inf if value is None else sign * value, entry.number

    return sorted(record.jobs, key=place)


def best_of(record: SweepRecord) -> Optional[JobRecord]:
    """The best of the complete jobs that have measured the sweep's metric; None where none has."""
    first = next(iter(best_first(record)), None)
    if first is None or first.status != "complete" or value_of(record, first) is None:
        return None
    return first


def with_best(record: SweepRecord) -> SweepRecord:
    """The record of a search with the number of its best job in it."""
    if record.search is None:
        return record
    best = best_of(record)
    update = {"best": best.number if best else None}
    return record.replaced(search=record.search.model_copy(update=update))
