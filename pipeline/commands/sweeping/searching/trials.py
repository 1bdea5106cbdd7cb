"""The jobs of a search: each asked of the study, watched epoch by epoch, and told to it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import Optional

from pipeline import errors
from pipeline.commands.sweeping.composing import Member
from pipeline.commands.sweeping.course import done_entry, first_entry
from pipeline.commands.sweeping.record import JobRecord, SweepRecord
from pipeline.commands.sweeping.searching import showing
from pipeline.commands.sweeping.searching.epochs import Epochs
from pipeline.commands.sweeping.searching.preparing import Prepared
from pipeline.commands.sweeping.searching.studies import Study, Trial
from pipeline.errors import ConfigError
from pipeline.manifest import Failure


@dataclass
class _Watched:
    """A trial at work; `twins` are further ones that turned out to be the same run."""

    trial: Trial
    member: Member
    epochs: Epochs
    last_epoch: Optional[int]
    is_given_up: bool = False
    twins: list[tuple[Trial, Member]] = field(default_factory=list)


class Trials:
    """What a sweep's course asks for jobs, and tells of their endings.

    Jobs are counted from 1, one more than Optuna's number of the trial.
    """

    def __init__(self, prepared: Prepared, study: Study, before: SweepRecord | None) -> None:
        """`before` is the search's record as an earlier start has left it."""
        self._prepared, self._study, self._before = prepared, study, before
        begun = study.trials
        self._left = deque(trial for trial in begun if trial.state is None)
        self._count = len(begun)
        self._is_measured = any(trial.state == "complete" for trial in begun)
        self._is_useless = self._is_column_noted = False
        self._at_work: dict[str, _Watched] = {}
        self.enter: Callable[[JobRecord], None] = _nowhere

    @property
    def are_over(self) -> bool:
        """Whether there is nothing to run any more, before anything was asked for."""
        return not self._left and self._are_all_begun

    @property
    def _are_all_begun(self) -> bool:
        return self._count >= self._prepared.search.trials or self._study.is_exhausted

    def entries(self) -> Iterable[JobRecord]:
        """What the record says of the trials that have ended, or would say if it is lost."""
        known = {entry.number: entry for entry in self._before.jobs} if self._before else {}
        for trial in self._study.trials:
            entry = known.get(trial.number + 1)
            if entry is None or (trial.state is not None and not entry.is_over):
                entry = self._remembered(trial)
            yield entry

    def at_work_already(self) -> list[Member]:
        """The jobs of trials that an earlier start has left without an end."""
        return [m for m in (self._member(trial, is_told=False) for trial in self._left) if m]

    def ask(self) -> Optional[Member]:
        """The next job to run: what was left behind first, then what the study chooses."""
        while (trial := self._next()) is not None:
            member = self._member(trial)
            if member is None:
                continue
            busy = self._at_work.get(member.run_id)
            if busy is not None:
                busy.twins.append((trial, member))
            elif member.is_complete():
                entry = done_entry(member, self._before)
                self.enter(entry)
                showing.tell_known(member)
                self._judge(trial, entry)
            else:
                self._at_work[member.run_id] = self._watched(trial, member)
                return member
        return None

    def tell(self, member: Member, entry: JobRecord) -> None:
        """The study knows how it ended; what was only interrupted stays open for the next start."""
        found = self._at_work.pop(member.run_id)
        self._look(found)
        self._note_column(found.epochs, entry)
        self._judge(found.trial, entry)
        for trial, twin in found.twins:
            same = entry.replaced(number=twin.number, overrides=first_entry(twin).overrides)
            self.enter(same)
            self._judge(trial, same)

    def unwanted(self, at_work: Collection[Member]) -> Collection[Member]:
        """Those that the pruner has given up."""
        return [m for m in at_work if self._look(self._at_work[m.run_id])]

    def _next(self) -> Trial | None:
        if self._left:
            return self._left.popleft()
        if self._is_useless or self._are_all_begun:
            return None
        self._count += 1
        return self._study.ask()

    def _member(self, trial: Trial, *, is_told: bool = True) -> Member | None:
        """The trial's job; where its values make none, it has failed."""
        composer, number = self._prepared.composer, trial.number + 1
        try:
            if len(trial.values) < len(composer.dimensions):
                # Who chose them was killed before all were there.
                raise ConfigError([errors.Mistake("trial", "not all of its values were chosen")])
            member = composer.compose(number, trial.values)
        except ConfigError as error:
            if is_told:
                failure = Failure(type="ConfigError", message="; ".join(map(str, error.mistakes)))
                entry = self._bare(trial).replaced(
                    status="failed", exit_code=errors.WRONG_JOB, error=failure
                )
                self.enter(entry)
                showing.tell_wrong(entry)
                self._study.tell(trial.number, "failed")
            return None
        if is_told:
            self._study.note(trial.number, run_id=member.run_id, folder=str(member.folder))
        return member

    def _watched(self, trial: Trial, member: Member) -> _Watched:
        epochs = Epochs(member.folder, self._prepared.prune_on, trial.steps)
        return _Watched(trial, member, epochs, member.job.mode.epochs)

    def _look(self, found: _Watched) -> bool:
        """Every new epoch is reported; gives whether the pruner wants it no more."""
        for epoch, value in found.epochs.fresh():
            is_hopeless = self._study.is_hopeless(found.trial.number, epoch, value)
            # After its last epoch it only has to be measured.
            found.is_given_up |= is_hopeless and epoch != found.last_epoch
        return found.is_given_up

    def _note_column(self, epochs: Epochs, entry: JobRecord) -> None:
        """A pruner that sees nothing is told of once, when a whole table lacks its column."""
        column, target = self._prepared.prune_on, self._prepared.search.pruner.target
        is_lacking = bool(epochs.columns) and column not in epochs.columns
        if is_lacking and entry.status == "complete" and not target.endswith(".NopPruner"):
            if not self._is_column_noted:
                showing.tell_no_column(column, epochs.columns)
            self._is_column_noted = True

    def _judge(self, trial: Trial, entry: JobRecord) -> None:
        if entry.status in ("pruned", "failed"):
            self._study.tell(trial.number, "pruned" if entry.status == "pruned" else "failed")
        if entry.status != "complete":
            return
        metric = self._prepared.metric
        value = entry.metrics.get(metric)
        if value is not None:
            self._is_measured = True
            self._study.tell(trial.number, "complete", value)
            return
        measured = ", ".join(sorted(entry.metrics)) or "nothing"
        message = f"it measured no {metric!r}, which trials are judged by, but {measured}"
        failure = Failure(type="ConfigError", message=message)
        self.enter(entry.replaced(status="failed", error=failure))
        self._study.tell(trial.number, "failed")
        # Where nothing measures it, trying on is for nothing.
        self._is_useless = not self._is_measured

    def _remembered(self, trial: Trial) -> JobRecord:
        """The record of a trial that only the study knows."""
        member = self._member(trial, is_told=False)
        entry = first_entry(member) if member else self._bare(trial)
        metrics = {self._prepared.metric: trial.value} if trial.value is not None else {}
        return entry.replaced(status=trial.state or "interrupted", metrics=metrics)

    def _bare(self, trial: Trial) -> JobRecord:
        overrides = self._prepared.composer.overrides_of(trial.values)
        return JobRecord(number=trial.number + 1, overrides=overrides, run_id="", folder="")


def _nowhere(entry: JobRecord) -> None:
    """No course has begun that would keep it."""
    del entry
