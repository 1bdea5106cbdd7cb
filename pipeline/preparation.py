"""The context of a job before anything is done, and what can be said against it by then."""

from __future__ import annotations

from pathlib import Path

from pipeline import manifest, places, pretrained
from pipeline.clock import now_iso
from pipeline.context import Context
from pipeline.errors import ConfigError, DependencyError, Mistake
from pipeline.job import Job
from pipeline.manifest import Manifest
from pipeline.masking import mask
from pipeline.storage import open_storage


def prepare(job: Job, command: str) -> Context:
    """The context of a job before anything is done; writes nothing.

    Raises:
        ConfigError: no folder can be written, a storage or checkpoint cannot be meant, or `run.id`
            names the run of another job.
    """
    data_dir = places.choose("cluster.data_dir", job.cluster.data_dir)
    output_dir = places.choose("cluster.output_dir", job.cluster.output_dir)
    folder = output_dir / job.run_id
    previous = manifest.read(folder)
    mistakes = [*_unusable_places(job), *_unusable_checkpoint(job, output_dir)]
    if previous and previous.digest != job.digest and not job.run.fresh:
        problem = f"{job.run_id!r} is the run of another job (its settings or code differ)"
        remedy = "choose another name, or write run.fresh=true to put that run aside"
        mistakes.append(Mistake("run.id", problem, "", remedy))
    if mistakes:
        raise ConfigError(mistakes)
    record = Manifest(
        run_id=job.run_id,
        digest=job.digest,
        attempt=previous.attempt if previous else 1,
        started=previous.started if previous else now_iso(),
        command=mask(command),
        job={"mode": job.mode.name, "model": job.model.name, "dataset": job.dataset.name},
        export_url=mask(job.cluster.export_url),
        metrics=previous.metrics if previous else {},
        inputs=previous.inputs if previous else (),
        launch={"cluster": job.cluster.name, "detected_by": "the command line", "ranks": 1},
        environment={},
    )
    return Context(job, folder, data_dir, output_dir, record, previous)


def _unusable_places(job: Job) -> list[Mistake]:
    """What keeps a URL of the job from being opened; no place is asked."""
    urls = {f"dataset.archives.{i}.url": a.url for i, a in enumerate(job.dataset.archives)}
    if "export" in job.mode.stages:
        urls["cluster.export_url"] = job.cluster.export_url
    mistakes = []
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


def _unusable_checkpoint(job: Job, output_dir: Path) -> list[Mistake]:
    found = pretrained.find(job, output_dir)
    return [found] if isinstance(found, Mistake) else []
