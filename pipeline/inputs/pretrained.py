"""Which checkpoint a job starts from, found before anything runs."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Sequence
from pathlib import Path

from pipeline import manifest, stage
from pipeline.errors import Mistake
from pipeline.inputs import resuming
from pipeline.inputs.wanted import Checkpoint, Wanted, at_hand, files_in
from pipeline.job.job import Archive, Job, is_checkpoint_path
from pipeline.manifest import Manifest
from pipeline.messages.masking import mask_url
from pipeline.messages.spelling import did_you_mean
from pipeline.storage import is_url

log = logging.getLogger(__name__)

_KEY = "mode.checkpoint"
_TRAINING_METRIC = "accuracy"


def find(job: Job, output_dir: Path) -> Wanted | Mistake | None:
    """What `mode.resume` or `mode.checkpoint` names; None when the job starts without one."""
    if job.mode.resume is not None:
        return resuming.find(job, output_dir, _brought(job))
    named = job.mode.checkpoint
    if named is None:
        stages, _ = stage.find_all(job.mode.stages)
        if job.mode.starts_from_checkpoint or stage.needs_initial_checkpoint(stages):
            brought = _brought(job)
            if brought:
                return brought
            problem = f"mode {job.mode.name!r} needs a checkpoint and none is given"
            return Mistake(_KEY, problem, "", f"{_selecting(job)}{_choices(job, output_dir)}")
        return None
    if "://" in named:
        return Wanted(named, url=named)
    if is_checkpoint_path(named):
        if Path(named).is_file():
            return Wanted(named, path=Path(named))
        return Mistake(_KEY, f"there is no file {named}", "", _choices(job, output_dir))
    model = next((url for url in job.launched.models if url.rpartition("/")[2] == named), "")
    return _at(model, "a brought model") if model else _of_run(job, output_dir, named)


def _brought(job: Job) -> Wanted | None:
    """The launch's checkpoint: the one it names, else its first model, else one in its data."""
    if job.launched.checkpoint:
        return _at(job.launched.checkpoint, "the launch")
    named = [url for url in job.launched.models if url.endswith(".ckpt")]
    if named:
        return _at(named[0], "the launch's models")
    is_possible = job.launched.brings_data or job.launched.models
    return Wanted("the launch's data", is_inside=True) if is_possible else None


def _at(place: str, source: str) -> Wanted:
    if "://" in place:
        return Wanted(source, url=place)
    return Wanted(source, path=Path(place))


def packed_models(job: Job) -> tuple[Archive, ...]:
    """The brought models that are no checkpoint files: archives and folders that may hold one."""
    places = dict.fromkeys(url for url in job.launched.models if not url.endswith(".ckpt"))
    found = []
    for number, url in enumerate(places, 1):
        # Their own names could be those of the data.
        name = f"model-{number}-{url.split('?')[0].rstrip('/').rpartition('/')[2]}"
        is_folder_here = not is_url(url) and Path(url).is_dir()
        found.append(Archive(url=url, name=name, mount=is_folder_here))
    return tuple(found)


def inside(folders: Sequence[Path], wanted: Wanted) -> Checkpoint:
    """The first checkpoint file in the folders, by folder and then by path; of states the furthest.

    Raises:
        CheckpointError: there is none; the message lists what was found.
    """
    if wanted.is_state:
        return resuming.inside(folders, wanted)
    found = files_in(folders, _KEY)
    others = f"; there is also {', '.join(path.name for path in found[1:6])}" if found[1:] else ""
    log.info("took the checkpoint %s%s", found[0], others)
    return at_hand(wanted, found[0])


def to_fetch(wanted: Wanted, job: Job, downloads: Path) -> tuple[Archive, Path]:
    """The file that has to be fetched, and where it lands."""
    if wanted.is_run:
        return resuming.to_fetch(wanted, job, downloads)
    place = mask_url(wanted.url).split("?")[0].rstrip("/")
    name = place.rpartition("/")[2]
    digest = hashlib.sha256(place.encode()).hexdigest()[:8]
    return Archive(url=wanted.url, name=name), downloads / f"{digest}-{name}"


def _of_run(job: Job, output_dir: Path, named: str) -> Wanted | Mistake:
    if named == "latest":
        runs = _trainings(job, output_dir)
        if not runs:
            problem = f"there is no complete training of {job.model.name} on {job.dataset.name}"
            return Mistake(_KEY, f"latest: {problem}", "", _choices(job, output_dir))
        named = runs[0].run_id
    last = _last_checkpoint(output_dir / named)
    if last is None:
        problem = f"there is no run {named!r} with a checkpoint in {output_dir}"
        question = did_you_mean(named, [run.run_id for run in manifest.past(output_dir)])
        remedy = "; ".join(filter(None, (question, _choices(job, output_dir))))
        return Mistake(_KEY, problem, "", remedy)
    return Wanted(f"run {named}", path=last)


def _trainings(job: Job, output_dir: Path) -> list[Manifest]:
    """Complete runs of this model and dataset that made a checkpoint, newest first."""
    return [
        run
        for run in manifest.past(output_dir)
        if run.status == "complete"
        and run.run_id != job.run_id
        and (run.job.get("model"), run.job.get("dataset")) == (job.model.name, job.dataset.name)
        and _last_checkpoint(output_dir / run.run_id)
    ]


def _last_checkpoint(folder: Path) -> Path | None:
    try:
        index = json.loads((folder / "checkpoints" / "index.json").read_text(encoding="utf-8"))
        path = folder / "checkpoints" / str(index["last"]["path"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return path if path.is_file() else None


def _selecting(job: Job) -> str:
    """What to do on a platform, whose forms select models."""
    if job.cluster.name == "local":
        return ""
    return "select a model, or a dataset that holds a .ckpt, where the job is made; or "


def _choices(job: Job, output_dir: Path) -> str:
    runs = _trainings(job, output_dir)[:5]
    if not runs:
        return (
            "give a .ckpt file or a URL, or train first: "
            f"python run.py mode=train model={job.model.name} dataset={job.dataset.name}"
        )
    listed = ", ".join(
        f"{run.run_id} (accuracy {run.metrics[_TRAINING_METRIC]:.4f})"
        if _TRAINING_METRIC in run.metrics
        else run.run_id
        for run in runs
    )
    return f"write {_KEY}=latest, or one of these: {listed}; a .ckpt file and a URL work too"
