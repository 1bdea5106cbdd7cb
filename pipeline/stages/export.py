"""export: the run folder is at its export place, verified, manifest last."""

from __future__ import annotations

import logging
import time

from pipeline import publish
from pipeline.context import Context
from pipeline.files import human_bytes
from pipeline.manifest import Manifest, StageRecord
from pipeline.stage import Outlook, stage

log = logging.getLogger(__name__)


def look(context: Context) -> Outlook:
    """Only the export place itself could tell what is there, and it is asked when working."""
    if context.job.cluster.export_url is None:
        return Outlook("would leave the run folder to the platform, which collects it")
    return Outlook("would copy the run folder to its export place and check it there")


@stage(look=look, makes=("published",), runs_on="first")
def export(context: Context) -> Manifest:
    """Sends what is not there yet, checks it, and sends the final manifest as the last thing."""
    if context.job.cluster.export_url is None:
        return _collected(context)
    started = time.monotonic()
    place = publish.open_place(context.job.cluster.export_url, context.job.run_id, context.limits)
    artifacts = context.artifacts()
    total = float(sum(artifact.size_bytes for artifact in artifacts))
    with context.progress("export", total, "B") as advance:
        sent = publish.send(place, context.folder, artifacts, on_bytes=advance)
    seconds = round(time.monotonic() - started, 3)
    context.record(url=place.url, files=sent.files, sent_bytes=sent.sent_bytes)
    record = StageRecord(name="export", status="done", seconds=seconds, **context.facts)
    final = context.ended(artifacts, record)
    publish.send_manifest(place, context.folder, final)
    size = human_bytes(sent.sent_bytes)
    log.info("exported %d files (%s sent) to %s in %.1f s", sent.files, size, place.url, seconds)
    return final


def _collected(context: Context) -> Manifest:
    """The platform takes the output folder itself when the job ends; there is nothing to check."""
    if context.uploader is not None:
        context.uploader.finish()
    context.record(collected_from=str(context.output_dir))
    record = StageRecord(name="export", status="done", seconds=0.0, **context.facts)
    log.info("left the run folder to the platform, which collects %s", context.output_dir)
    return context.ended(context.artifacts(), record)
