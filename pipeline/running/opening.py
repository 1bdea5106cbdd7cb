"""The run folder at the start: opened, or made anew beside what it held before."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import yaml

from pipeline import publish
from pipeline.context import Context
from pipeline.disk.clock import now_iso
from pipeline.disk.files import write_atomically
from pipeline.manifest import StageRecord
from pipeline.messages import log
from pipeline.messages.masking import masked
from pipeline.running import preparation, provenance, runfolder, surroundings
from pipeline.watching import Board

logger = logging.getLogger(__name__)


def begin(context: Context, config: Any) -> None:
    """The run folder is there to work in, a new one if there is a reason to start anew."""
    if context.reason_to_start_anew:
        start_anew(context, config, why=context.reason_to_start_anew, taken=())
    else:
        open_folder(context, config)


def open_folder(context: Context, config: Any) -> None:
    """The run folder holds the job (`config`, the composed mapping) and a manifest at `running`."""
    job = context.job
    context.folder.mkdir(parents=True, exist_ok=True)
    log.to_folder(context.folder)
    environment = masked(surroundings.describe(job))
    context.manifest = context.manifest.replaced(environment=environment)
    text = yaml.safe_dump(masked(config), allow_unicode=True, sort_keys=False)
    write_atomically(context.folder / "config.yaml", text)
    provenance.begin(context)
    context.save()
    context.live = _live_export(context)
    context.board = Board.of(job, context.folder) if context.here.is_first else None
    context.event("run_started", run_id=job.run_id, attempt=context.manifest.attempt)
    preparation.log_conclusions(context)
    if context.previous:
        logger.info("resuming run %s (%s)", job.run_id, context.previous.ended_as)


def start_anew(context: Context, config: Any, *, why: str, taken: Sequence[StageRecord]) -> None:
    """The run folder is a new one; what was in it lies beside it. `taken` counts for both."""
    log.to_folder(None)
    aside = runfolder.set_aside(context.folder)
    attempt = context.manifest.attempt + 1
    context.previous, context.reason_to_start_anew = None, ""
    context.manifest = context.manifest.replaced(
        attempt=attempt,
        started=now_iso(),
        metrics={},
        inputs=(),
        stages=tuple(taken),
        launch=preparation.launch_of(context.job, context.here),
    )
    open_folder(context, config)
    logger.info("started anew (%s); the earlier run is now %s", why, aside.name)


def _live_export(context: Context) -> publish.LiveExport | None:
    """What leaves the folder while the run goes on; it asks the place nothing as yet."""
    export_url = context.job.cluster.export_url
    if "export" not in context.job.mode.stages or export_url is None or not context.here.is_first:
        return None
    place = publish.open_place(export_url, context.job.run_id, context.limits)
    return publish.LiveExport(
        place, context.folder, describe=lambda: context.manifest, digests=context.digests
    )
