"""sweep.json: what a sweep is and how its jobs stand. Rewritten whenever something changes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal, Optional

from pydantic import BaseModel, ConfigDict, ValidationError

from pipeline.disk.files import write_atomically
from pipeline.manifest import Failure

FILE_NAME = "sweep.json"
FOLDER = "sweeps"

JobStatus = Literal["waiting", "running", "complete", "failed", "interrupted", "pruned"]
SweepStatus = Literal["running", "complete", "failed", "interrupted"]


class JobRecord(BaseModel):
    """One job: what it differs in from the others, and how it stands.

    `exit_code` is minus the signal where one killed the process; `seconds` are those of the
    process, or of the run's stages where it was complete before; `pruned` is a job that whoever
    asked for it wanted no more.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    number: int
    overrides: Mapping[str, str]
    run_id: str
    folder: str
    status: JobStatus = "waiting"
    exit_code: Optional[int] = None
    seconds: Optional[float] = None
    metrics: Mapping[str, float] = {}
    error: Optional[Failure] = None

    @property
    def is_over(self) -> bool:
        """Whether nothing more is to be waited for."""
        return self.status not in ("waiting", "running")

    def replaced(self, **changes: object) -> JobRecord:
        """The same record with these fields changed."""
        return self.model_copy(update=changes)


class SearchRecord(BaseModel):
    """What of a sweep is a search's: Optuna's study, and how many trials there are to be.

    `best` is the number of the best job; Optuna counts trials from 0, so its number is one less.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    study: str
    storage: str
    trials: int
    best: Optional[int] = None


class SweepRecord(BaseModel):
    """The whole sweep; changed only by making a new one."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    sweep_id: str
    command: str
    engine: str
    status: SweepStatus = "running"
    started: str
    finished: Optional[str] = None
    metric: str = ""
    direction: Literal["max", "min"] = "max"
    jobs: tuple[JobRecord, ...] = ()
    search: Optional[SearchRecord] = None

    @property
    def count(self) -> int:
        """How many jobs there are to be, as far as that is known."""
        return max(len(self.jobs), self.search.trials if self.search else 0)

    def replaced(self, **changes: object) -> SweepRecord:
        """The same record with these fields changed."""
        return self.model_copy(update=changes)

    def with_job(self, job: JobRecord) -> SweepRecord:
        """The same record with this job's added, or put in the place of its older one."""
        if all(known.number != job.number for known in self.jobs):
            return self.replaced(jobs=(*self.jobs, job))
        jobs = (job if known.number == job.number else known for known in self.jobs)
        return self.replaced(jobs=tuple(jobs))

    def write(self, folder: Path) -> None:
        """The folder's record is this one, atomically."""
        write_atomically(folder / FILE_NAME, self.model_dump_json(indent=2) + "\n")


def read(folder: Path) -> SweepRecord | None:
    """The folder's record; None where there is none that can be read."""
    try:
        return SweepRecord.model_validate_json((folder / FILE_NAME).read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValidationError):
        return None


def id_of(run_ids: Iterable[str]) -> str:
    """The sweep's name, which follows from the runs it consists of, in whatever order.

    >>> id_of(["b", "a"]) == id_of(["a", "b"])
    True
    """
    listed = "\n".join(sorted(run_ids))
    return f"sweep-{hashlib.sha256(listed.encode('utf-8')).hexdigest()[:8]}"
