"""sweep.json as far as a page needs it, and the runs that it names as far as they are there."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Optional
from urllib.parse import quote

from pydantic import BaseModel, ValidationError

from pipeline.errors import MindRunError
from pipeline.messages.masking import masked
from pipeline.report.contents import is_finite, reader_of, rows_in
from pipeline.report.page import FILE_NAME
from pipeline.training.plan import is_minimised


class SweepRecordError(MindRunError, ValueError):
    """A record of a sweep cannot be read."""


class Cause(BaseModel):
    """Why a job failed."""

    type: str = ""
    message: str = ""
    stage: Optional[str] = None


class SweptJob(BaseModel):
    """One job of the sweep; what has not begun has no run yet."""

    number: int
    overrides: dict[str, Any] = {}
    run_id: Optional[str] = None
    folder: Optional[str] = None
    status: str = ""
    exit_code: Optional[int] = None
    seconds: Optional[float] = None
    metrics: dict[str, Any] = {}
    error: Optional[Cause] = None

    def value(self, metric: str) -> float | None:
        """What was measured; None where nothing was, or no finite number."""
        found = self.metrics.get(metric)
        return float(found) if found is not None and is_finite(found) else None


class SweepRecord(BaseModel):
    """The whole record; further keys may stand beside."""

    sweep_id: str
    command: str = ""
    engine: str = ""
    status: str = ""
    started: str = ""
    finished: Optional[str] = None
    metric: str = ""
    direction: Literal["max", "min"] = "max"
    jobs: list[SweptJob] = []


@dataclass(frozen=True)
class Row:
    """A job with the rows of its epochs, the way to its own page, and its place by the metric.

    `place` counts from 1, the best; None where nothing was measured.
    """

    job: SweptJob
    value: float | None
    place: int | None
    epochs: list[dict[str, float]]
    link: str


def read(path: Path) -> SweepRecord:
    """The record, without credentials.

    Raises:
        SweepRecordError: there is none that can be read.
    """
    try:
        found = SweepRecord.model_validate_json(path.read_bytes())
        return _with_metric(SweepRecord.model_validate(masked(found.model_dump())))
    except (OSError, ValidationError) as error:
        reason = str(error).splitlines()[0]
        raise SweepRecordError(
            f"{path} cannot be read ({reason}); expected the record of a sweep. Start the sweep "
            f"again, which writes it anew."
        ) from error


def _with_metric(record: SweepRecord) -> SweepRecord:
    """Where the record names no metric, the one that says most of those that were measured."""
    measured = {name for job in record.jobs for name in job.metrics}
    if record.metric or not measured:
        return record
    metric = next((name for name in ("accuracy", "loss") if name in measured), min(measured))
    direction = "min" if is_minimised(metric) else "max"
    return record.model_copy(update={"metric": metric, "direction": direction})


def rows(record: SweepRecord, beside: Path) -> list[Row]:
    """The jobs of the sweep, the best first, then those of which nothing was measured.

    `beside` is the folder that the page will lie in.
    """
    worst = -math.inf if record.direction == "max" else math.inf
    sign = -1 if record.direction == "max" else 1

    def order(job: SweptJob) -> tuple[bool, float, int]:
        value = job.value(record.metric)
        return value is None, sign * (worst if value is None else value), job.number

    found = []
    for place, job in enumerate(sorted(record.jobs, key=order), 1):
        folder = _folder(job, beside)
        content = reader_of(folder)("metrics.jsonl") if folder else None
        value = job.value(record.metric)
        rank = None if value is None else place
        found.append(Row(job, value, rank, rows_in(content or b""), _link(folder, beside)))
    return found


def swept_keys(record: SweepRecord) -> list[str]:
    """The keys in whose values the jobs differ, in the order they were written."""
    keys = dict.fromkeys(key for job in record.jobs for key in job.overrides)
    return [k for k in keys if len({repr(job.overrides.get(k)) for job in record.jobs}) > 1]


def numbers(values: Sequence[Any]) -> list[float] | None:
    """The values as numbers, None if one of them is none; texts that read as numbers count.

    >>> numbers(["0.1", 2]), numbers(["lenet5"]), numbers([True])
    ([0.1, 2.0], None, None)
    """
    found = []
    for value in values:
        if isinstance(value, bool) or not isinstance(value, (int, float, str)):
            return None
        try:
            found.append(float(value))
        except (ValueError, OverflowError):
            return None
    return found if all(map(math.isfinite, found)) else None


def _folder(job: SweptJob, beside: Path) -> Path | None:
    """The run's folder as it is named, or beside the sweeps by its id; None where there is none."""
    named = [Path(job.folder), beside / job.folder] if job.folder else []
    # A sweep lies in <output folder>/sweeps/<its id>; a moved output folder keeps that shape.
    by_id = [beside.parent.parent / job.run_id] if job.run_id else []
    return next((path for path in (*named, *by_id) if _is_folder(path)), None)


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    # No path: a name that is too long, or a character that none can hold.
    except (OSError, ValueError):
        return False


def _link(folder: Path | None, beside: Path) -> str:
    if folder is None or not (folder / FILE_NAME).is_file():
        return ""
    relative = Path(os.path.relpath(folder / FILE_NAME, beside)).as_posix()
    # With the dot, so that no name can be taken for a scheme.
    return f"./{quote(os.fsencode(relative))}"


def shown(overrides: Mapping[str, Any], keys: Sequence[str]) -> str:
    """The overrides of these keys on one line."""
    return " ".join(f"{key}={overrides[key]}" for key in keys if key in overrides)
