"""Tells a job's hooks that its run has begun, and how it ended."""

from __future__ import annotations

import logging
import socket
import time

from pipeline import errors
from pipeline.context import Context
from pipeline.hooks import Caller, News
from pipeline.manifest import Manifest
from pipeline.messages.masking import mask
from pipeline.running.outcome import Outcome

logger = logging.getLogger(__name__)


def begin(context: Context) -> None:
    """The hooks are being told that there is work; takes no time."""
    if not context.job.hooks:
        return
    context.hooks = Caller(context.job.hooks, context.job.root)
    context.hooks.check()
    context.hooks.tell(_news(context, context.manifest, "start", None))


def end(context: Context, outcome: Outcome) -> None:
    """The hooks have been told how the run ended, or the time that an ending has is over."""
    if context.hooks is None:
        return
    has_failed = outcome.manifest.status == "failed" or outcome.exit_code == errors.FAILED
    event = "failure" if has_failed else "end"
    until_s = context.stop.tell_until_s
    try:
        if time.monotonic() < until_s:
            context.hooks.tell(_news(context, outcome.manifest, event, outcome.exit_code))
        context.hooks.wait(until_s=until_s)
    except KeyboardInterrupt:
        logger.warning("interrupted while hooks were told of the %s; the run had ended", event)


def _news(context: Context, manifest: Manifest, event: str, exit_code: int | None) -> News:
    exported = manifest.stage("export") if exit_code is not None else None
    is_there = exported is not None and exported.status == "done"
    error = manifest.error if exit_code is not None else None
    return News(
        event=event,
        run_id=manifest.run_id,
        status=manifest.status,
        attempt=manifest.attempt,
        exit_code=exit_code,
        seconds=round(time.time() - context.started_s, 3),
        metrics=dict(manifest.metrics) if exit_code is not None else {},
        error=mask(error.message) if error else "",
        stage=(error.stage or "") if error else "",
        folder=str(context.folder),
        export_url=str(exported.facts.get("url", "")) if exported and is_there else "",
        host=socket.gethostname(),
        command=manifest.command,
        job=dict(manifest.job),
    )
