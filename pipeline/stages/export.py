"""export: the run folder is at its export place, verified, manifest last."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence

from pipeline import publish
from pipeline.context import Context
from pipeline.disk.files import human_bytes
from pipeline.manifest import FILE_NAME, Artifact, Manifest, StageRecord, files_in, growing_in
from pipeline.publish import LiveExport
from pipeline.stage import Outlook, stage
from pipeline.transfer import Limits

log = logging.getLogger(__name__)

# An ending has no time for a second try, nor for a place that says nothing.
_HASTY_STALL_S = 3.0


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
    if context.live is not None and context.ending == "interrupted":
        return _export_in_haste(context, context.live)
    started = time.monotonic()
    if context.live is not None:
        context.live.finish()
    place = _place(context, context.limits)
    artifacts = context.artifacts()
    total = float(sum(artifact.size_bytes for artifact in artifacts))
    with context.progress("export", total, "B") as advance:
        sent = publish.send(
            place,
            context.folder,
            artifacts,
            attempt=context.manifest.attempt,
            on_bytes=advance,
        )
    context.record(url=place.url, files=sent.files, sent_bytes=sent.sent_bytes)
    final = _final(context, artifacts, started)
    publish.send_manifest(place, context.folder, final)
    size, seconds = human_bytes(sent.sent_bytes), time.monotonic() - started
    log.info("exported %d files (%s sent) to %s in %.1f s", sent.files, size, place.url, seconds)
    return final


def _export_in_haste(context: Context, live: LiveExport) -> Manifest:
    """As far as the time goes that an ending has; the manifest names only what is there by then."""
    started = time.monotonic()
    names = [name for name in files_in(context.folder) if name != FILE_NAME]
    growing = growing_in(context.folder)
    artifacts = live.drain([*names, *growing], until_s=context.stop.send_until_s)
    limits = context.limits
    place = _place(context, Limits(limits.parallel, 0, min(limits.stall_s, _HASTY_STALL_S)))
    left = sorted(set(names) - set(growing) - {artifact.path for artifact in artifacts})
    context.record(url=place.url, files=len(artifacts), not_sent=left)
    final = _final(context, artifacts, started)
    publish.send_manifest(place, context.folder, final, removes=False)
    log.info("exported %d files to %s; not sent: %d", len(artifacts), place.url, len(left))
    return final


def _final(context: Context, artifacts: Sequence[Artifact], started_s: float) -> Manifest:
    seconds = round(time.monotonic() - started_s, 3)
    record = StageRecord(name="export", status="done", seconds=seconds, **context.facts)
    return context.ended(tuple(artifacts), record)


def _place(context: Context, limits: Limits) -> publish.Place:
    return publish.open_place(context.job.cluster.export_url or "", context.job.run_id, limits)


def _collected(context: Context) -> Manifest:
    """The platform takes the output folder itself when the job ends; there is nothing to check."""
    if context.uploader is not None:
        is_hasty = context.ending == "interrupted"
        left_s = max(0.0, context.stop.send_until_s - time.monotonic())
        context.uploader.finish(longest_s=left_s if is_hasty else None)
    context.record(collected_from=str(context.output_dir))
    record = StageRecord(name="export", status="done", seconds=0.0, **context.facts)
    log.info("left the run folder to the platform, which collects %s", context.output_dir)
    return context.ended(context.artifacts(), record)
