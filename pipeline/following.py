"""What a rank after the first does of a job: the work of every rank, its share of the machine's.

It keeps no record of the run; that is the first rank's. Its own log lies in logs/, and what made
it fail in errors/, where the first rank's ending finds it.
"""

from __future__ import annotations

import contextlib
import json
import logging
import time
import traceback
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline import completion, errors, log, nodework, preparation, publish, steps, transfer
from pipeline.context import Context
from pipeline.endings import Watch
from pipeline.errors import MindRunError
from pipeline.files import write_json
from pipeline.job import Job
from pipeline.masking import mask
from pipeline.stage import Stage, find_all
from pipeline.world import World

logger = logging.getLogger(__name__)

_JUST_NOW_S = 60.0
# What a stage, a loader or a network of anybody's may raise.
_FAILURES = (
    MindRunError,
    OSError,
    ValueError,
    TypeError,
    RuntimeError,
    ArithmeticError,
    LookupError,
    AttributeError,
    ImportError,
    MemoryError,
    AssertionError,
)


class RankError(MindRunError, RuntimeError):
    """Another rank of this run failed."""


def follow(job: Job, *, command: str, here: World) -> int:
    """This rank's part of the job is done; gives its exit code.

    Raises:
        MindRunError: its part failed; the first rank can read why.
    """
    context = preparation.prepare(job, command, here=here)
    stages, _ = find_all(job.mode.stages)
    decided = steps.foresee(stages, context)
    if context.previous and completion.is_complete(context, decided):
        return errors.DONE
    own_log = context.folder / "logs" / f"rank-{here.rank}.log"
    try:
        with Watch(lambda: None, lambda: None):
            _take_all(context, stages, own_log)
    except _FAILURES as error:
        with contextlib.suppress(OSError):
            tell(context.folder, here.rank, error)
        raise
    finally:
        log.to_file(None)
        if any(stage.name == "export" for stage in stages):
            _send_log(context, own_log)
    return errors.DONE


def tell(folder: Path, rank: int, error: BaseException) -> None:
    """The first rank's ending reports this failure."""
    words = {
        "rank": rank,
        "type": type(error).__name__,
        "message": mask(str(error)) or type(error).__name__,
        "traceback": mask("".join(traceback.format_exception(type(error), error, None))),
    }
    write_json(folder / "errors" / f"rank-{rank}.json", words)


def tell_if_silent(folder: Path, rank: int, how: str) -> None:
    """A rank that was killed could not tell of it itself."""
    told = folder / "errors" / f"rank-{rank}.json"
    is_told = told.is_file() and told.stat().st_mtime > time.time() - _JUST_NOW_S
    if rank and folder.is_dir() and not is_told:
        # The others are asked to end also where a full disk keeps this from being written.
        with contextlib.suppress(OSError):
            tell(folder, rank, RankError(how))


def failure_of_another(context: Context) -> BaseException | None:
    """What made another rank of this machine fail since this run began."""
    for path in sorted((context.folder / "errors").glob("rank-*.json")):
        if path.stat().st_mtime >= context.started_s:
            told = json.loads(path.read_text(encoding="utf-8"))
            return RankError(f"rank {told['rank']}: {told['type']}: {told['message']}")
    return None


def _take_all(context: Context, stages: Sequence[Stage], own_log: Path) -> None:
    for position, stage in enumerate(stages):
        if stage.runs_on == "first":
            continue
        step = steps.decide(stages[position:], context)[0]
        if not step.works:
            context.products.update(step.outlook.products)
            continue
        if stage.runs_on == "every":
            # By now the first rank has a folder for this attempt.
            own_log.parent.mkdir(parents=True, exist_ok=True)
            log.to_file(own_log)
        context.products.update(_work(context, stage))


def _work(context: Context, stage: Stage) -> dict[str, Any]:
    if stage.runs_on == "node":
        return nodework.share(context, stage)
    return stage.run(context, context.products)


def _send_log(context: Context, own_log: Path) -> None:
    export_url = context.job.cluster.export_url
    if export_url is None or not own_log.is_file():
        return
    files = {f"logs/{own_log.name}": own_log}
    told = context.folder / "errors" / f"rank-{context.here.rank}.json"
    files.update({f"errors/{told.name}": told} if told.is_file() else {})
    place = publish.open_place(export_url, context.job.run_id, context.limits)
    try:
        transfer.upload(place.storage, files, limits=replace(context.limits, retries=0))
    except MindRunError as error:
        # The work of this rank does not depend on its log.
        logger.warning("the log of rank %d could not be exported: %s", context.here.rank, error)
