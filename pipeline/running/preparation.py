"""The context of a job before anything is done, and what can be said against it by then."""

from __future__ import annotations

import logging
from functools import partial
from pathlib import Path
from typing import Any

from pipeline import manifest, publish
from pipeline.context import Context
from pipeline.disk.clock import now_iso
from pipeline.errors import ConfigError, DependencyError, Mistake
from pipeline.inputs import inputs, places, pretrained, receipts
from pipeline.job.job import Job
from pipeline.manifest import Manifest
from pipeline.messages.masking import mask, mask_url
from pipeline.processes.uploader import Uploader
from pipeline.processes.world import ALONE, World
from pipeline.running import runfolder
from pipeline.storage import is_url, open_storage

log = logging.getLogger(__name__)


def prepare(job: Job, command: str, *, here: World = ALONE) -> Context:
    """The context of a job before anything is done; writes nothing.

    Raises:
        ConfigError: no folder can be written, a storage or checkpoint cannot be meant, or `run.id`
            names the run of another job.
    """
    needed = partial(needed_bytes, job)
    data_dir = places.choose("cluster.data_dir", job.cluster.data_dir, needed_bytes=needed)
    output_dir = places.choose("cluster.output_dir", job.cluster.output_dir)
    folder = output_dir / job.run_id
    previous = manifest.read(folder)
    mistakes = [
        *_unusable_places(job),
        *_unusable_export(job, folder),
        *_unusable_checkpoint(job, output_dir),
        *_run_of_another_job(job, previous),
    ]
    if mistakes:
        raise ConfigError(mistakes)
    return Context(
        job,
        folder,
        data_dir,
        output_dir,
        _record(job, command, here=here, folder=folder, previous=previous),
        previous,
        _reason_to_start_anew(job, folder, previous),
        here=here,
        uploader=_uploader(job, output_dir) if here.is_first else None,
    )


def needed_bytes(job: Job, data_dir: Path) -> int:
    """What would land in this data folder, as far as it is known without asking.

    A disk may be full because of the very data that the job needs.
    """
    coming = [a for a in job.dataset.archives if inputs.kind_of(a) != "mount"]
    folders = data_dir / "downloads", data_dir / "datasets"
    missing = [a for a in coming if not receipts.last(inputs.landing_place(a, *folders))]
    if coming and not missing:
        return 0
    return max(places.ROOM_BYTES, sum(inputs.size_of(archive) or 0 for archive in missing))


def log_conclusions(context: Context) -> None:
    """The log says which folders were chosen, and what was concluded from the launch."""
    cluster = context.job.cluster
    places.log_choice("cluster.data_dir", cluster.data_dir, context.data_dir)
    places.log_choice("cluster.output_dir", cluster.output_dir, context.output_dir)
    for note in context.job.launched.notes:
        # The terminal has shown them with the plan.
        log.debug("%s", note)


def _uploader(job: Job, output_dir: Path) -> Uploader | None:
    """The platform's own uploader, where results go by no other way."""
    if job.cluster.export_url is not None:
        return None
    return Uploader.where_it_exists(job.cluster.uploader, output_dir)


def _record(
    job: Job, command: str, *, here: World, folder: Path, previous: Manifest | None
) -> Manifest:
    """The manifest to begin with; it goes on from what the run folder's says."""
    begun = Manifest(
        run_id=job.run_id,
        digest=job.digest,
        attempt=_attempts_before(folder) + 1,
        started=now_iso(),
        command=mask(command),
        sources=dict(job.sources),
        job={"mode": job.mode.name, "model": job.model.name, "dataset": job.dataset.name},
        export_url=mask_url(job.cluster.export_url or ""),
        launch=launch_of(job, here),
    )
    if previous is None:
        return begun
    # What an earlier start exported no longer counts once this one works.
    done = (s for s in previous.stages if s.status != "failed" and s.name != "export")
    return begun.replaced(
        attempt=previous.attempt,
        started=previous.started,
        metrics=previous.metrics,
        inputs=previous.inputs,
        launch=launch_of(job, here, begun_anew_by=previous.launch.get("job", "")),
        stages=tuple(done),
    )


def launch_of(job: Job, here: World, *, begun_anew_by: str | None = None) -> dict[str, Any]:
    """The manifest's `launch`; with the platform's job that began this attempt anew, if one did."""
    if begun_anew_by is None:
        begun_anew_by = job.launched.job if job.run.fresh else ""
    facts = {
        "cluster": job.cluster.name,
        "detected_by": job.launched.detected_by,
        "ranks": here.size,
    }
    return {**facts, "job": begun_anew_by} if begun_anew_by else facts


def is_of_this_start(job: Job, found: Manifest | None) -> bool:
    """Whether this very job of the platform has begun the attempt anew, and now starts again."""
    if found is None or (found.run_id, found.digest) != (job.run_id, job.digest):
        return False
    return bool(job.launched.job) and found.launch.get("job") == job.launched.job


def _attempts_before(folder: Path) -> int:
    aside = [manifest.read(path) for path in runfolder.put_aside(folder)]
    return max((found.attempt for found in aside if found), default=0)


def _reason_to_start_anew(job: Job, folder: Path, previous: Manifest | None) -> str:
    # Another rank may have told of its failure there before there was a run.
    if job.run.fresh and (previous or runfolder.has_results(folder)):
        return "" if is_of_this_start(job, previous) else "run.fresh=true"
    # A derived id holds the job's digest; under a chosen one only the manifest tells whose it is.
    if job.run.id and previous is None and (folder / "checkpoints").exists():
        return f"no {manifest.FILE_NAME} that can be read tells which job {folder.name} was"
    return ""


def _unusable_places(job: Job) -> list[Mistake]:
    """What keeps a URL of the job from being opened; no place is asked."""
    urls = {f"dataset.archives.{i}.url": a.url for i, a in enumerate(job.dataset.archives)}
    if "export" in job.mode.stages and job.cluster.export_url:
        urls["cluster.export_url"] = job.cluster.export_url
    starts = {"mode.checkpoint": job.mode.checkpoint, "mode.resume": job.mode.resume}
    urls.update({key: place for key, place in starts.items() if place and is_url(place)})
    mistakes: list[Mistake] = []
    for key, url in urls.items():
        try:
            open_storage(url, stall_s=job.cluster.transfer.stall_s)
        except ConfigError as error:
            mistakes += [
                Mistake(key, f"{m.key}: {m.problem}", "", m.remedy) for m in error.mistakes
            ]
        except DependencyError as error:
            mistakes.append(Mistake(key, str(error)))
    return mistakes


def _unusable_export(job: Job, folder: Path) -> list[Mistake]:
    key, url = "cluster.export_url", job.cluster.export_url
    if "export" not in job.mode.stages or url is None:
        return []
    if url.startswith(("http://", "https://")):
        problem = f"{mask_url(url)}: web servers are read-only here, results cannot go there"
        return [Mistake(key, problem, "", f"write {key}=FOLDER or an obs:// URL")]
    if not is_url(url) and Path(publish.url_of(url, job.run_id)).resolve() == folder.resolve():
        problem = f"{url} is the output folder, results would be copied onto themselves"
        return [Mistake(key, problem, "", f"write {key}=ANOTHER_FOLDER")]
    return []


def _unusable_checkpoint(job: Job, output_dir: Path) -> list[Mistake]:
    found = pretrained.find(job, output_dir)
    return [found] if isinstance(found, Mistake) else []


def _run_of_another_job(job: Job, previous: Manifest | None) -> list[Mistake]:
    if previous is None or previous.digest == job.digest or job.run.fresh:
        return []
    problem = f"{job.run_id!r} is the run of another job (its settings or code differ)"
    remedy = "choose another name, or write run.fresh=true to put that run aside"
    return [Mistake("run.id", problem, "", remedy)]
