"""What a rank after the first does of a job: the work of every rank, its share of the machine's.

It keeps no record of the run; that is the first rank's. Its own log lies in logs/, and what made
it fail in errors/, where the first rank's ending finds it.
"""

from __future__ import annotations

import contextlib
import json
import logging
import shutil
import sys
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from pipeline import errors, publish, transfer
from pipeline.context import OUTPUT, Context
from pipeline.disk.files import naming_full_disk, write_json
from pipeline.errors import MindRunError
from pipeline.job.job import Job
from pipeline.messages import log
from pipeline.messages.masking import mask
from pipeline.processes.endings import Watch
from pipeline.processes.stopping import Stop
from pipeline.processes.world import World
from pipeline.running import nodework, preparation, runfolder, steps
from pipeline.stage import AlreadyDone, Stage, find_all

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
    context.own_place = own_place = runfolder.place_of_rank(context.folder, here.rank)
    hand_over = partial(_hand_over_log, context, own_place)
    with contextlib.ExitStack() as at_the_end:
        at_the_end.callback(hand_over)
        at_the_end.enter_context(_telling(context))
        with naming_full_disk(own_place):
            own_place.mkdir(parents=True, exist_ok=True)
            log.to_file(own_place / _log_name(here.rank))
        context.stop = Stop(job.mode.time_budget_min)
        at_the_end.enter_context(Watch(hand_over, lambda: None, context.stop))
        at_the_end.enter_context(context.stop.listening())
        with contextlib.suppress(AlreadyDone):
            steps.ask(stages, context)
            _take_all(context, stages)
    return errors.DONE


@contextlib.contextmanager
def _telling(context: Context) -> Iterator[None]:
    """What ends the work is known to the first rank; an interrupt reaches that rank too."""
    is_well = False
    try:
        yield
        is_well = True
    except KeyboardInterrupt:
        is_well = True
        raise
    finally:
        error = sys.exc_info()[1]
        if error is not None and not is_well:
            logger.debug("ended", exc_info=error)
            with contextlib.suppress(OSError):
                tell(context.folder, f"rank-{context.here.rank}", error)


def collect_logs(context: Context) -> None:
    """What killed ranks of this machine had logged lies with the run."""
    for place in runfolder.places_of_dead_ranks(context.folder):
        for written in place.glob("rank-*.log"):
            _append(written, context.folder / "logs" / written.name)
        shutil.rmtree(place, ignore_errors=True)


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
            kind = "" if told["type"] == RankError.__name__ else f"{told['type']}: "
            return RankError(f"{told['who']}: {kind}{told['message']}")
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
        _append(written, kept)
        _hand_over_files(context, own_place)
        shutil.rmtree(own_place, ignore_errors=True)
    if "export" in context.job.mode.stages:
        _send_own(context, kept)


def _hand_over_files(context: Context, own_place: Path) -> None:
    """What a script of this rank has written lies with the run, beside the first rank's."""
    written, kept = own_place / OUTPUT, context.folder / OUTPUT / f"rank-{context.here.rank}"
    if written.is_dir() and any(written.iterdir()):
        with contextlib.suppress(OSError):
            kept.parent.mkdir(parents=True, exist_ok=True)
            shutil.rmtree(kept, ignore_errors=True)
            written.rename(kept)


def _append(written: Path, kept: Path) -> None:
    """A log that cannot be kept is not worth the run."""
    with contextlib.suppress(OSError):
        kept.parent.mkdir(parents=True, exist_ok=True)
        with kept.open("ab") as file:
            file.write(written.read_bytes())


def _send_own(context: Context, own_log: Path) -> None:
    export_url = context.job.cluster.export_url
    if export_url is None or not own_log.is_file():
        return
    files = {f"logs/{own_log.name}": own_log}
    told = context.folder / "errors" / f"rank-{context.here.rank}.json"
    files.update({f"errors/{told.name}": told} if told.is_file() else {})
    own_files = context.folder / OUTPUT / f"rank-{context.here.rank}"
    for path in sorted(own_files.rglob("*")) if own_files.is_dir() else ():
        if path.is_file():
            files[path.relative_to(context.folder).as_posix()] = path
    place = publish.open_place(export_url, context.job.run_id, context.limits)
    try:
        transfer.upload(place.storage, files, limits=replace(context.limits, retries=0))
    except MindRunError as error:
        # The work of this rank does not depend on its log.
        logger.warning("the log of rank %d could not be exported: %s", context.here.rank, error)


def _log_name(rank: int) -> str:
    return f"rank-{rank}.log"
