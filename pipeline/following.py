"""What a rank after the first does of a job: the work of every rank, its share of the machine's.

It keeps no record of the run; that is the first rank's. Its own log lies in logs/, and what made
it fail in errors/, where the first rank's ending finds it.
"""

from __future__ import annotations

import contextlib
import json
import logging
import shutil
import traceback
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

from pipeline import (
    completion,
    errors,
    log,
    nodework,
    preparation,
    publish,
    restoring,
    runfolder,
    steps,
    transfer,
)
from pipeline.context import Context
from pipeline.endings import Watch
from pipeline.errors import MindRunError
from pipeline.files import naming_full_disk, write_json
from pipeline.job import Job
from pipeline.masking import mask
from pipeline.stage import Stage, find_all
from pipeline.world import World

logger = logging.getLogger(__name__)


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
    if completion.is_complete(context, decided) or restoring.is_complete_elsewhere(context):
        return errors.DONE
    context.own_place = own_place = runfolder.place_of_rank(context.folder, here.rank)
    with contextlib.ExitStack() as at_the_end:
        at_the_end.callback(_hand_over_log, context, own_place)
        at_the_end.push(partial(_tell_what_ended, context))
        with naming_full_disk(own_place):
            own_place.mkdir(parents=True, exist_ok=True)
            log.to_file(own_place / _log_name(here.rank))
        at_the_end.enter_context(Watch(lambda: None, lambda: None))
        _take_all(context, stages)
    return errors.DONE


def _tell_what_ended(
    context: Context,
    kind: type[BaseException] | None,
    error: BaseException | None,
    trace: TracebackType | None,
) -> None:
    """The first rank's ending reports it; an interrupt reaches that rank too."""
    del kind, trace
    if error is None or isinstance(error, KeyboardInterrupt):
        return
    logger.debug("ended", exc_info=error)
    with contextlib.suppress(OSError):
        tell(context.folder, f"rank-{context.here.rank}", error)


def tell(folder: Path, who: str, error: BaseException) -> None:
    """The first rank's ending reports this failure."""
    trace = traceback.format_exception(type(error), error, error.__traceback__)
    words = {
        "who": who.replace("-", " "),
        "type": type(error).__name__,
        "message": mask(str(error)) or type(error).__name__,
        "traceback": mask("".join(trace)),
    }
    write_json(folder / "errors" / f"{who}.json", words)


def tell_if_silent(folder: Path, who: str, how: str, *, since_s: float) -> None:
    """A process that was killed could not tell of it itself; `since_s` is when it was started."""
    told = folder / "errors" / f"{who}.json"
    is_told = told.is_file() and told.stat().st_mtime >= since_s
    if folder.is_dir() and not is_told:
        # The others are asked to end also where a full disk keeps this from being written.
        with contextlib.suppress(OSError):
            tell(folder, who, RankError(how))


def failure_of_another(context: Context) -> BaseException | None:
    """What made another rank of this machine fail since this run began."""
    for path in sorted((context.folder / "errors").glob("*.json")):
        if path.stat().st_mtime >= context.started_s:
            told = json.loads(path.read_text(encoding="utf-8"))
            return RankError(f"{told['who']}: {told['type']}: {told['message']}")
    return None


def _take_all(context: Context, stages: Sequence[Stage]) -> None:
    for position, stage in enumerate(stages):
        if stage.runs_on == "first":
            continue
        step = steps.decide(stages[position:], context)[0]
        if not step.works:
            context.products.update(step.outlook.products)
            continue
        context.products.update(_work(context, stage))


def _work(context: Context, stage: Stage) -> dict[str, Any]:
    if stage.runs_on == "node":
        return nodework.share(context, stage)
    return stage.run(context, context.products)


def _hand_over_log(context: Context, own_place: Path) -> None:
    """This rank's log lies with the run: by now the first rank has set aside what it will."""
    log.to_file(None)
    kept = context.folder / "logs" / _log_name(context.here.rank)
    written = own_place / kept.name
    if written.is_file():
        with contextlib.suppress(OSError):
            kept.parent.mkdir(parents=True, exist_ok=True)
            with kept.open("ab") as file:
                file.write(written.read_bytes())
            shutil.rmtree(own_place)
    if "export" in context.job.mode.stages:
        _send_log(context, kept)


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


def _log_name(rank: int) -> str:
    return f"rank-{rank}.log"
