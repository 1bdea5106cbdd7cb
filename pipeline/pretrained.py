"""Which checkpoint a job starts from, as weights or as a whole state; found before it runs."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from pipeline import manifest, stage
from pipeline.errors import CheckpointError, Mistake
from pipeline.files import sha256_of
from pipeline.job import Archive, Job, is_checkpoint_path
from pipeline.manifest import Manifest
from pipeline.masking import mask
from pipeline.spelling import did_you_mean
from pipeline.storage import is_url
from pipeline.training import checkpoints

log = logging.getLogger(__name__)

_KEY, _RESUME = "mode.checkpoint", "mode.resume"
_TRAINING_METRIC = "accuracy"


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint file at hand, and who it comes from."""

    path: Path
    sha256: str
    source: str


@dataclass(frozen=True)
class Wanted:
    """Where the checkpoint lies: a file here, a URL to fetch from, or inside what is brought."""

    source: str
    path: Path | None = None
    url: str = ""
    is_inside: bool = False


def find(job: Job, output_dir: Path) -> Wanted | Mistake | None:
    """What `mode.checkpoint` or `mode.resume` names; None when the job starts without one."""
    if job.mode.resume is not None:
        return _state(job, output_dir, job.mode.resume)
    named = job.mode.checkpoint
    if named is None:
        stages, _ = stage.find_all(job.mode.stages)
        if job.mode.needs_checkpoint or stage.needs_initial_checkpoint(stages):
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


def _state(job: Job, output_dir: Path, named: str) -> Wanted | Mistake:
    """The whole state to go on from."""
    remedy = "write a run id, a run's folder, a .ckpt file, its URL, or launch"
    if job.mode.checkpoint is not None:
        problem = f"{_KEY} is given as well, and a whole state has its own weights"
        return Mistake(_RESUME, problem, "", f"leave out one of them: write {_KEY}=null")
    if job.mode.epochs is None:
        problem = f"mode {job.mode.name!r} does not train, it cannot go on from a state"
        return Mistake(_RESUME, problem, "", f"write {_KEY}={named} for its weights")
    if named == "launch":
        problem = "launch: the launch brings no model or dataset"
        return _brought(job) or Mistake(_RESUME, problem, "", remedy)
    if "://" in named:
        if named.partition("?")[0].endswith(".ckpt"):
            return Wanted(named, url=named)
        return Mistake(_RESUME, f"{mask(named)}: expected the URL of one .ckpt file", "", remedy)
    if Path(named).is_file():
        return Wanted(named, path=Path(named))
    folder = Path(named) if is_checkpoint_path(named) else output_dir / named
    states = (checkpoints.newest(place, job.model.name) for place in _places_in(folder))
    found = next(filter(None, states), None)
    if found is None:
        problem = f"there is no state of a training of {job.model.name} in {folder}"
        question = did_you_mean(named, [run.run_id for run in manifest.past(output_dir)])
        return Mistake(_RESUME, problem, "", "; ".join(filter(None, (question, remedy))))
    return Wanted(f"{named}, {found.path.name}", path=found.path)


def _places_in(folder: Path) -> list[Path]:
    """Where checkpoints lie: in a run's folder or in this one itself."""
    return [place for place in (folder / "checkpoints", folder) if place.is_dir()]


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
    """The first checkpoint file in the folders, by folder and then by path.

    Raises:
        CheckpointError: there is none; the message lists what was found.
    """
    files = [path for folder in folders for path in _files_below(folder)]
    found = [path for path in files if path.suffix == ".ckpt"]
    if not found:
        listed = [path.name for path in files]
        more = f" and {len(listed) - 10} more" if len(listed) > 10 else ""
        raise CheckpointError(
            f"no .ckpt file lies in {', '.join(str(f) for f in folders)}; there is: "
            f"{', '.join(listed[:10]) or 'nothing'}{more}. Add a model or a dataset with a "
            f"checkpoint, or write {_KEY}=FILE."
        )
    others = f"; there is also {', '.join(path.name for path in found[1:6])}" if found[1:] else ""
    log.info("took the checkpoint %s%s", found[0], others)
    return at_hand(wanted, found[0])


def _files_below(folder: Path) -> list[Path]:
    """In order of names, without what is hidden: archives made on a Mac hold `__MACOSX/._name`."""
    return [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not any(p[0] in "._" for p in path.relative_to(folder).parts)
    ]


def at_hand(wanted: Wanted, path: Path) -> Checkpoint:
    """The checkpoint at this path, with its digest."""
    status = path.stat()
    return Checkpoint(path, _sha256(path, status.st_size, status.st_mtime_ns), wanted.source)


@lru_cache(maxsize=8)
def _sha256(path: Path, size_bytes: int, mtime_ns: int) -> str:
    """Read once while the file stays the same: it is asked for once per stage."""
    del size_bytes, mtime_ns
    return sha256_of(path)


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
