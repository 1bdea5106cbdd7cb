"""The way back: a run that was exported goes on where nothing of it lies on this machine.

Looked for where the run folder holds no record. What comes back is checked against the exported
record; a file that is lost or differs is left out, and the stages that it came from work again.
"""

from __future__ import annotations

import logging
from pathlib import Path

from pipeline import publish, transfer
from pipeline.context import Context
from pipeline.disk.clock import seconds_since
from pipeline.disk.files import write_atomically
from pipeline.disk.folders import inside
from pipeline.errors import IntegrityError, MindRunError, ObjectMissingError
from pipeline.manifest import Manifest
from pipeline.messages.console import counted, human_seconds
from pipeline.messages.masking import mask
from pipeline.publish import Place
from pipeline.running import preparation, runfolder
from pipeline.storage import OnBytes, ignore_bytes

log = logging.getLogger(__name__)

# In a run folder that is still coming back.
_UNFINISHED = ".restoring"


def bring_back(context: Context) -> bool:
    """The run folder holds what was exported of this run; whether there was anything."""
    is_half = (context.folder / _UNFINISHED).is_file()
    is_here = context.previous is not None or runfolder.has_results(context.folder)
    if (is_here and not is_half) or not _has_export_place(context):
        return False
    place = _place(context)
    try:
        found = _exported(context, place)
        return found is not None and _bring(context, place, found)
    except MindRunError as error:
        # The job can be done without; if the place stays like this, the export will tell.
        log.warning("could not look for an earlier start of this run: %s", mask(str(error)))
        return False


def _bring(context: Context, place: Place, found: Manifest) -> bool:
    age = human_seconds(seconds_since(found.finished or found.started))
    how = found.ended_as
    log.info("%s holds this run as of %s ago (%s); bringing it back", place.url, age, how)
    total = float(sum(artifact.size_bytes for artifact in found.artifacts))
    folder = context.folder
    write_atomically(folder / _UNFINISHED, "")
    with context.progress("restore", total, "B") as advance:
        come = [a for a in found.artifacts if _has_come(place, folder, a.path, advance, a.sha256)]
    for name in publish.growing_at(place):
        _has_come(place, folder, name, ignore_bytes)
    publish.note_sent(place, folder, come)
    is_whole = len(come) == len(found.artifacts)
    # Last, because from here on the run counts as one that this machine knows.
    (found if is_whole else found.replaced(status="interrupted")).write(folder)
    (folder / _UNFINISHED).unlink()
    log.info("brought back %s", counted(len(come), "file"))
    return True


def _has_come(
    place: Place, folder: Path, name: str, on_bytes: OnBytes, sha256: str | None = None
) -> bool:
    """Whether the file lies in the folder now, as the record describes it."""
    try:
        path = folder / inside(name, origin=place.url)
        transfer.download(
            place.storage, name, path, limits=place.limits, sha256=sha256, on_bytes=on_bytes
        )
    except (IntegrityError, ObjectMissingError) as error:
        log.warning("%s/%s did not come back as it was (%s)", place.url, name, _kind(error))
        return False
    return True


def _kind(error: MindRunError) -> str:
    return "it is gone" if isinstance(error, ObjectMissingError) else "its bytes differ"


def _exported(context: Context, place: Place) -> Manifest | None:
    """The record at the export place, if it is one of the very same job and no older attempt.

    A start that is to be anew counts on from the attempt there.
    """
    found, job = publish.record_at(place), context.job
    if found is None or (found.run_id, found.digest) != (job.run_id, job.digest):
        return None
    if found.attempt < context.manifest.attempt:
        return None
    if job.run.fresh and not preparation.is_of_this_start(job, found):
        context.manifest = context.manifest.replaced(attempt=found.attempt + 1)
        return None
    return found


def _has_export_place(context: Context) -> bool:
    return "export" in context.job.mode.stages and context.job.cluster.export_url is not None


def _place(context: Context) -> Place:
    return publish.open_place(
        context.job.cluster.export_url or "", context.job.run_id, context.limits
    )
