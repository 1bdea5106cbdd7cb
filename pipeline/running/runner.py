"""Runs a job's stages in order, keeps its record, and ends honestly.

run > _Run.go > each stage: decide > skip, or work > record > report, also where it fails > export
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from pipeline import errors, gathering
from pipeline.context import Context
from pipeline.job.job import Job
from pipeline.manifest import Failure, Manifest, StageRecord
from pipeline.messages import log
from pipeline.messages.masking import mask, masked
from pipeline.processes.endings import Watch
from pipeline.processes.stopping import Stop, Terminated
from pipeline.processes.world import ALONE, World
from pipeline.running import (
    announcing,
    closing,
    completion,
    following,
    nodework,
    opening,
    preparation,
    provenance,
    restoring,
    runfolder,
    steps,
)
from pipeline.running.outcome import Outcome, exit_code_of, message_of
from pipeline.running.steps import Step
from pipeline.stage import Stage, find_all

logger = logging.getLogger(__name__)


def run(
    job: Job,
    *,
    command: str,
    config: Any,
    before_work: Callable[[Context, Sequence[Step]], object],
    here: World = ALONE,
) -> Outcome:
    """The job is done, or failed with its record written and what there is exported.

    `before_work` hears of the steps once there is something to do; `here` is the first rank.

    Raises:
        ConfigError: the job is wrong; nothing was written.
        RunBusyError: another process runs it.
    """
    folder = preparation.prepare(job, command).folder
    stages, _ = find_all(job.mode.stages)
    with runfolder.owned(folder):
        # Read only now: another process may have worked on the run until a moment ago.
        context = preparation.prepare(job, command, here=here)
        if restoring.bring_back(context):
            context = preparation.prepare(job, command, here=here)
        steps.ask(stages, context)
        decided = steps.foresee(stages, context)
        if context.previous and completion.is_complete(context, decided):
            gathering.dismiss(context, stages)
            return Outcome(errors.DONE, context.folder, context.previous, was_done=True)
        before_work(context, decided)
        at_work = _Run(context, stages, config)
        context.stop = Stop(job.mode.time_budget_min)
        watch = Watch(at_work.end_in_its_place, at_work.give_up, context.stop)
        try:
            with watch as at_work.watch, context.stop.listening():
                outcome = at_work.go()
            announcing.end(context, outcome)
            return outcome
        finally:
            log.to_folder(None)
            context.close()


class _Run:
    """One run at work."""

    def __init__(self, context: Context, stages: Sequence[Stage], config: Any) -> None:
        self.context = context
        self.stages = stages
        self.config = config
        self.stage: Stage | None = None
        self.stage_started = 0.0
        self.taken: list[StageRecord] = []
        self.has_results = False
        self.watch: Watch | None = None

    def go(self) -> Outcome:
        """Every stage in order; then the end, whatever happened."""
        opening.begin(self.context, self.config)
        following.collect_logs(self.context)
        announcing.begin(self.context)
        error = self._ending_of(self._take_all)
        if error is not None:
            if self.watch is not None and not self.watch.unwinding():
                threading.Event().wait()  # the watcher ends the run already, then the process
            error = following.failure_of_another(self.context) or error
            self._end_early(error)
        return self._end(exit_code_of(error))

    def end_in_its_place(self) -> None:
        """What the watcher does where the main thread is stuck: the same ending."""
        self._end_early(following.failure_of_another(self.context) or self._why())
        announcing.end(self.context, self._end(exit_code_of(self._why())))

    def give_up(self) -> None:
        """There is no time left for anything but the record."""
        self.context.products.pop("published", None)
        self._end(exit_code_of(self._why()), in_haste=True)

    def _why(self) -> KeyboardInterrupt:
        return self.context.stop.reason or Terminated()

    def _end_early(self, error: BaseException) -> None:
        self._note_failure(error)
        # Whatever becomes of the export, from now on the record says how the run ended.
        with contextlib.suppress(OSError):
            self._as_it_stands(in_haste=True).write(self.context.folder)
        second = self._ending_of(self._export_what_there_is)
        if second is not None:
            self._note_failed_export(second)

    def _ending_of(self, work: Callable[[], None]) -> BaseException | None:
        """What ended the work before its end; None if nothing did."""
        try:
            work()
        except (KeyboardInterrupt, SystemExit) as ending:
            return ending
        # The one place that catches everything: a stage may run anybody's code.
        except Exception as error:
            return error
        return None

    def _take_all(self) -> None:
        for position, stage in enumerate(self.stages):
            self.stage, self.stage_started = stage, time.monotonic()
            self._report(before=stage.name)
            step = steps.decide(self.stages[position:], self.context)[0]
            self._take(self._work(stage) if step.works else self._skip(step))
        self.stage = None
        self._report(before=None)

    def _report(self, *, before: str | None) -> None:
        closing.weigh(self._ending_of(lambda: closing.report(self.context, before)))

    def _take(self, record: StageRecord) -> None:
        """The record of a stage stands in the manifest."""
        context = self.context
        self.taken.append(record)
        context.manifest = context.manifest.with_stage(record)
        if self.stage and "inputs" in self.stage.makes and "inputs" in context.products:
            self._compare_inputs(context.products["inputs"])
        context.save()
        context.event("stage_ended", stage=record.name, status=record.status, reason=record.reason)

    def _skip(self, step: Step) -> StageRecord:
        context, outlook, name = self.context, step.outlook, step.stage.name
        context.products.update(outlook.products)
        if outlook.metrics:
            context.measured(outlook.metrics)
        kept = context.earlier(name)
        facts = {**(kept.facts if kept else {}), **masked(outlook.facts)}
        reason = mask(step.reason)
        return StageRecord(name=name, status="skipped", seconds=0.0, reason=reason, **facts)

    def _work(self, stage: Stage) -> StageRecord:
        context = self.context
        context.facts.clear()
        context.event("stage_started", stage=stage.name)
        self.has_results = self.has_results or not stage.is_preparation
        if stage.runs_on == "node" and context.here.has_company:
            context.products.update(nodework.share(context, stage))
        else:
            context.products.update(stage.run(context, context.products))
        return self._record(stage.name, "done", None)

    def _record(self, name: str, status: str, reason: str | None) -> StageRecord:
        seconds = round(time.monotonic() - self.stage_started, 3)
        told = {"name": name, "status": status, "seconds": seconds, "reason": reason}
        return StageRecord.model_validate({**self.context.facts, **told})

    def _compare_inputs(self, found: list[dict[str, Any]]) -> None:
        """A run whose inputs are others than before is not gone on with."""
        before = self.context.manifest.inputs
        different = completion.differences(before, masked(found)) if before else []
        if different:
            why = f"inputs changed: {', '.join(different)}"
            opening.start_anew(self.context, self.config, why=why, taken=self.taken)
        self.context.found_inputs(found)
        provenance.add_inputs(self.context.folder, self.context.manifest.inputs)

    def _note_failure(self, error: BaseException) -> None:
        context, stage = self.context, self.stage
        context.ending = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
        message, name = message_of(error), stage.name if stage else None
        context.failure = Failure(type=type(error).__name__, message=message, stage=name)
        if stage:
            record = self._record(stage.name, "failed", message)
            context.manifest = context.manifest.with_stage(record)
        logger.debug("ended in stage %s", name, exc_info=error)

    def _export_what_there_is(self) -> None:
        """Once there may be results; not where it was the export itself that failed."""
        export = next((stage for stage in self.stages if stage.name == "export"), None)
        is_interrupted = self.context.ending == "interrupted"
        self._report(before="export" if self.has_results else "")
        if export is None or not self.has_results or (self.stage is export and not is_interrupted):
            return
        if is_interrupted:
            logger.info("interrupted; exporting what there is (once more: end at once)")
        self.stage, self.stage_started = export, time.monotonic()
        following.collect_logs(self.context)
        self.context.facts.clear()
        self.context.products.pop("published", None)
        self.context.products.update(export.run(self.context, self.context.products))

    def _note_failed_export(self, error: BaseException) -> None:
        message = message_of(error)
        logger.error("what there is could not be exported: %s", message)
        logger.debug("ended in stage export", exc_info=error)
        record = self._record("export", "failed", message)
        self.context.manifest = self.context.manifest.with_stage(record)

    def _as_it_stands(self, *, in_haste: bool) -> Manifest:
        return self.context.ended(self.context.artifacts(only_known=in_haste), None)

    def _end(self, exit_code: int, *, in_haste: bool = False) -> Outcome:
        context = self.context
        final = context.products.get("published")
        if not isinstance(final, Manifest):
            final = self._as_it_stands(in_haste=in_haste)
        try:
            final.write(context.folder)
            context.event("run_ended", status=final.status, exit_code=exit_code)
        except OSError as error:
            logger.error("the record of this run could not be written: %s", error)
            exit_code = exit_code or errors.FAILED
        return Outcome(exit_code, context.folder, final)
