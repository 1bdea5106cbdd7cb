"""Runs a job's stages in order, keeps its record, and ends honestly.

run > _Run.go > for each stage: decide > skip, or work > record
              > on a failure or an interrupt: export what there is > end
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pipeline import completion, errors, log, manifest, preparation, runfolder, steps, surroundings
from pipeline.clock import now_iso
from pipeline.context import Context
from pipeline.errors import MindRunError
from pipeline.files import write_atomically
from pipeline.job import Job
from pipeline.manifest import Failure, Manifest, StageRecord
from pipeline.masking import mask, masked
from pipeline.stage import Stage, find_all
from pipeline.steps import Step

logger = logging.getLogger(__name__)


class Terminated(KeyboardInterrupt):
    """SIGTERM came: end like an interrupt, with another exit code."""


@dataclass(frozen=True)
class Outcome:
    """How a run ended; `was_done` means that there was nothing to do."""

    exit_code: int
    folder: Path
    manifest: Manifest
    was_done: bool = False


def run(
    job: Job, *, command: str, config: Any, before_work: Callable[[Sequence[Step]], object]
) -> Outcome:
    """The job is done, or failed with its record written and what there is exported.

    `before_work` hears of the steps once it is clear that there is something to do.

    Raises:
        ConfigError: the job is wrong; nothing was written.
        RunBusyError: another process runs it.
    """
    folder = preparation.prepare(job, command).folder
    stages, _ = find_all(job.mode.stages)
    with runfolder.owned(folder):
        # Read only now: another process may have worked on the run until a moment ago.
        context = preparation.prepare(job, command)
        previous = context.previous
        if previous and not job.run.fresh and completion.is_complete(context, stages):
            return Outcome(errors.DONE, context.folder, previous, was_done=True)
        before_work(steps.decide(stages, context))
        try:
            return _Run(context, stages, config).go()
        finally:
            log.to_folder(None)


class _Run:
    """One run at work."""

    def __init__(self, context: Context, stages: Sequence[Stage], config: Any) -> None:
        self.context = context
        self.stages = stages
        self.config = config
        self.stage: Stage | None = None
        self.has_results = False

    def go(self) -> Outcome:
        """Every stage in order; then the end, whatever happened."""
        exit_code = errors.DONE
        self._open_folder()
        try:
            for position, stage in enumerate(self.stages):
                self._take(stage, steps.decide(self.stages[position:], self.context)[0])
        except KeyboardInterrupt as interrupt:
            is_terminated = isinstance(interrupt, Terminated)
            exit_code = errors.TERMINATED if is_terminated else errors.INTERRUPTED
            self._fail("interrupted", interrupt)
        # The one place that catches everything: a stage may run anybody's code.
        except Exception as error:
            exit_code = error.exit_code if isinstance(error, MindRunError) else errors.FAILED
            exit_code = errors.FAILED if exit_code == errors.WRONG_JOB else exit_code
            self._fail("failed", error)
        return self._end(exit_code)

    def _open_folder(self) -> None:
        context, previous = self.context, self.context.previous
        if context.job.run.fresh and previous:
            self._start_anew("run.fresh=true")
        context.folder.mkdir(parents=True, exist_ok=True)
        log.to_folder(context.folder)
        environment = surroundings.describe(context.job)
        context.manifest = context.manifest.replaced(environment=environment)
        text = yaml.safe_dump(masked(self.config), allow_unicode=True, sort_keys=False)
        write_atomically(context.folder / "config.yaml", text)
        context.save()
        context.event("run_started", run_id=context.job.run_id, attempt=context.manifest.attempt)
        if context.previous:
            logger.info("resuming run %s (%s)", context.job.run_id, context.previous.status)

    def _start_anew(self, why: str) -> None:
        context, previous = self.context, self.context.previous
        attempt = (previous.attempt if previous else context.manifest.attempt) + 1
        log.to_folder(None)
        aside = runfolder.set_aside(context.folder)
        context.folder.mkdir(parents=True)
        context.previous = None
        context.manifest = context.manifest.replaced(
            attempt=attempt, started=now_iso(), metrics={}, inputs=()
        )
        logger.info("starting anew (%s); the earlier run is now %s", why, aside.name)

    def _take(self, stage: Stage, step: Step) -> None:
        """The stage is done or skipped, and the record says so."""
        context = self.context
        self.stage = stage
        if not step.works:
            kept = context.earlier(stage.name)
            facts = kept.facts if kept else {}
            record = StageRecord(
                name=stage.name, status="skipped", seconds=0.0, reason=step.reason, **facts
            )
            context.products.update(step.outlook.products)
        else:
            record = self._work(stage)
        context.manifest = context.manifest.with_stage(record)
        self._compare_inputs(stage)
        context.save()
        context.event("stage_ended", stage=stage.name, status=record.status, reason=record.reason)
        self.stage = None

    def _work(self, stage: Stage) -> StageRecord:
        context = self.context
        context.facts.clear()
        context.event("stage_started", stage=stage.name)
        self.has_results = self.has_results or not stage.is_preparation
        started = time.monotonic()
        context.products.update(stage.run(context, context.products))
        seconds = round(time.monotonic() - started, 3)
        return StageRecord(name=stage.name, status="done", seconds=seconds, **context.facts)

    def _compare_inputs(self, stage: Stage) -> None:
        """A run whose inputs are others than before is not gone on with."""
        context = self.context
        if "inputs" not in stage.makes or "inputs" not in context.products:
            return
        found, before = context.products["inputs"], context.manifest.inputs
        different = completion.differences(before, masked(found)) if before else []
        if different and context.previous:
            records = context.manifest.stages
            self._start_anew(f"inputs changed: {', '.join(different)}")
            context.manifest = context.manifest.replaced(stages=records)
            self._open_folder()
        context.found_inputs(found)

    def _fail(self, status: manifest.Status, error: BaseException) -> None:
        context = self.context
        name = self.stage.name if self.stage else None
        message = mask(str(error)) or type(error).__name__
        context.failure = Failure(type=type(error).__name__, message=message, stage=name)
        context.ending = status
        if self.stage:
            record = StageRecord(
                name=self.stage.name, status="failed", seconds=0.0, reason=message, **context.facts
            )
            context.manifest = context.manifest.with_stage(record)
        logger.debug("ended in stage %s", name, exc_info=error)
        exports = [s for s in self.stages if s.name == "export"]
        if exports and self.has_results and name != "export":
            self._export_what_there_is(exports[0])

    def _export_what_there_is(self, export: Stage) -> None:
        try:
            self.context.facts.clear()
            self.context.products.update(export.run(self.context, self.context.products))
        except (MindRunError, OSError) as error:
            logger.error("what there is could not be exported either: %s", error)
            record = StageRecord(
                name="export", status="failed", seconds=0.0, reason=mask(str(error))
            )
            self.context.manifest = self.context.manifest.with_stage(record)

    def _end(self, exit_code: int) -> Outcome:
        context = self.context
        final = context.products.get("published")
        if not isinstance(final, Manifest):
            final = context.ended(context.artifacts(), None)
        final.write(context.folder)
        context.event("run_ended", status=final.status, exit_code=exit_code)
        return Outcome(exit_code, context.folder, final)
