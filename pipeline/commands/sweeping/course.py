"""A sweep at work: jobs are started from their files, and each ending is judged, recorded, told.

Where the jobs come from is not known here: a list of all, or somebody who decides while it goes.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import Optional, Protocol

from pipeline.commands.sweeping import showing, sorting, verdicts
from pipeline.commands.sweeping.composing import Member
from pipeline.commands.sweeping.engines.protocol import Ending, Engine, Order
from pipeline.commands.sweeping.record import FILE_NAME, JobRecord, SweepRecord, SweepStatus
from pipeline.commands.sweeping.scheduling import Scheduler
from pipeline.disk.clock import now_iso
from pipeline.errors import MindRunError
from pipeline.job.sweep import Sweep
from pipeline.messages.masking import masked
from pipeline.starting import assignment

logger = logging.getLogger(__name__)

_OUTCOME = {"status", "exit_code", "seconds", "metrics"}

# Each is called with the path of sweep.json whenever a job has ended, and at the end.
Listener = Callable[[Path], object]


class Jobs(Protocol):
    """Where a sweep's jobs come from, one by one, and who hears how each ended."""

    def ask(self) -> Optional[Member]:
        """The next job to run; None where there is none now. Asked again after each ending."""

    def tell(self, member: Member, entry: JobRecord) -> None:
        """This job has ended as its record says."""

    def unwanted(self, at_work: Collection[Member]) -> Collection[Member]:
        """Which jobs at work are wanted no more: they are asked to end, and count as pruned."""


class Listed:
    """Jobs that are all known beforehand."""

    def __init__(self, members: Iterable[Member]) -> None:
        """They are run in this order."""
        self._waiting = deque(members)

    def ask(self) -> Optional[Member]:
        """The next of the list."""
        return self._waiting.popleft() if self._waiting else None

    def tell(self, member: Member, entry: JobRecord) -> None:
        """Nothing depends on it."""

    def unwanted(self, at_work: Collection[Member]) -> Collection[Member]:
        """Every job is wanted."""
        del at_work
        return ()


class Course:
    """The record of a sweep while it goes on, and the source that its scheduler asks."""

    def __init__(
        self,
        folder: Path,
        record: SweepRecord,
        jobs: Jobs,
        sweep: Sweep,
        *,
        orphans: Collection[str] = (),
        listeners: Sequence[Listener] = (),
    ) -> None:
        """`folder` is the sweep's; jobs that `record` does not know are added as they come.

        `orphans` are runs at work that a killed start of this sweep has left behind.
        """
        self.folder, self.record, self._jobs, self._sweep = folder, record, jobs, sweep
        self._orphans, self._listeners = orphans, listeners
        self._at_work: dict[str, Member] = {}
        self._began: dict[str, tuple[str, int]] = {}
        self._pruned: set[str] = set()

    def run(self, engine: Engine, *, slots: int) -> int:
        """Every job has ended and the record says how; gives the signal that cut it short, or 0."""
        (self.folder / "jobs").mkdir(parents=True, exist_ok=True)
        self._save()
        number = Scheduler(self, engine, slots=slots).run()
        self.record = self.record.replaced(status=self._status(number), finished=now_iso())
        self._save()
        self._announce()
        return number

    def ask(self) -> Optional[Order]:
        """The next job's order; its file is written, its record says that it runs."""
        member = self._jobs.ask()
        if member is None:
            return None
        run_id, place = member.run_id, self.folder / "jobs"
        file, log = place / f"{run_id}.json", place / f"{run_id}.log"
        variables = assignment.write(file, member.assignment)
        self._at_work[run_id] = member
        self._began[run_id] = now_iso(), log.stat().st_size if log.exists() else 0
        self.enter(self.entry_of(member).replaced(status="running", error=None))
        showing.tell_start(member, self.record.count, log)
        shared = (member.job.root, member.context.output_dir, member.context.data_dir)
        return Order(
            run_id, member.folder, file, log, variables, run_id in self._orphans, shared=shared
        )

    def unwanted(self, at_work: Collection[str]) -> Collection[str]:
        """The runs that are to be ended, by their ids."""
        asked = self._jobs.unwanted([self._at_work[run_id] for run_id in at_work])
        self._pruned |= {member.run_id for member in asked}
        return [member.run_id for member in asked]

    def ended(self, order: Order, ending: Ending, seconds: float) -> None:
        """The job's ending stands in the record, and whoever waits for it knows."""
        member = self._at_work.pop(order.run_id)
        began, log_start = self._began.pop(order.run_id)
        running = self.entry_of(member).replaced(seconds=round(seconds, 3))
        entry = verdicts.judged(running, ending, began=began, log=order.log, log_start=log_start)
        if order.run_id in self._pruned and entry.status == "interrupted":
            entry = entry.replaced(status="pruned", error=None)
        self.enter(entry)
        showing.tell_end(self.record, entry, order.log)
        self._announce()
        self._jobs.tell(member, entry)

    def entry_of(self, member: Member) -> JobRecord:
        """What the record says of this job, or would say first."""
        known = (entry for entry in self.record.jobs if entry.number == member.number)
        return next(known, None) or first_entry(member)

    def enter(self, entry: JobRecord) -> None:
        """The record says this of a job."""
        found = self.record.with_job(entry)
        # Which metrics there are is known from the first job that has measured any.
        metric, direction = sorting.compared_by(self._sweep, found.jobs)
        self.record = sorting.with_best(found.replaced(metric=metric, direction=direction))
        self._save()

    def _save(self) -> None:
        self.record.write(self.folder)

    def _announce(self) -> None:
        for listener in self._listeners:
            try:
                listener(self.folder / FILE_NAME)
            # The jobs do not depend on who looks at them, nor on what a job wrote into its folder.
            except (MindRunError, OSError, ValueError, LookupError, TypeError) as error:
                logger.warning("%s could not be shown: %s", FILE_NAME, error)

    def _status(self, number: int) -> SweepStatus:
        if number:
            return "interrupted"
        is_well = all(entry.status in ("complete", "pruned") for entry in self.record.jobs)
        return "complete" if is_well else "failed"


def first_entry(member: Member) -> JobRecord:
    """The record of a job that has not been started in this sweep."""
    return JobRecord(
        number=member.number,
        overrides=masked(member.overrides),
        run_id=member.run_id,
        folder=str(member.folder),
    )


def done_entry(member: Member, before: SweepRecord | None) -> JobRecord:
    """The record of a job whose run was complete before, if the sweep was there with it."""
    for known in before.jobs if before else ():
        if known.run_id == member.run_id and known.status == "complete":
            return first_entry(member).replaced(**known.model_dump(include=_OUTCOME))
    found = member.previous
    seconds = round(sum(stage.seconds for stage in found.stages), 3) if found else None
    metrics = found.metrics if found else {}
    entry = first_entry(member)
    return entry.replaced(status="complete", exit_code=0, seconds=seconds, metrics=metrics)
