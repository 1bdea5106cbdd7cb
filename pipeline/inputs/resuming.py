"""What `mode.resume` names: the whole state of another training, from which a new run goes on."""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pipeline import manifest
from pipeline.errors import CheckpointError, Mistake
from pipeline.inputs.wanted import Checkpoint, Wanted, at_hand, files_in
from pipeline.job.job import Archive, Job, is_checkpoint_path
from pipeline.manifest import Manifest
from pipeline.messages.masking import mask_url
from pipeline.messages.spelling import did_you_mean
from pipeline.training import checkpoints

log = logging.getLogger(__name__)

KEY = "mode.resume"
LAUNCH = "launch"
_FORMS = "a run id, a run's folder, its URL, a .ckpt file, its URL, or launch"
_FOLDER = "checkpoints"
# The state from within an epoch, and what tells of which epoch it is.
_STATE = f"{_FOLDER}/{checkpoints.STATE_NAME}"
_STATE_RECORD = _STATE.replace(".ckpt", ".json")
_OF_EPOCH = re.compile(rf"({_FOLDER}/.+-(\d+))\.ckpt")


def find(job: Job, output_dir: Path, brought: Wanted | None) -> Wanted | Mistake:
    """What the job's `mode.resume` names; `brought` is what the launch has."""
    named = job.mode.resume or ""
    if job.mode.epochs is None:
        problem = f"mode {job.mode.name!r} does not train, it cannot go on from a state"
        return Mistake(KEY, problem, "", f"write mode.checkpoint={mask_url(named)} for its weights")
    if job.mode.checkpoint is not None:
        problem = "mode.checkpoint is given as well, and a whole state has its own weights"
        return Mistake(KEY, problem, "", "leave out one of them: write mode.checkpoint=null")
    if named == LAUNCH:
        if brought is None:
            problem = "launch: the launch brings no model or dataset"
            return Mistake(KEY, problem, "", f"write {_FORMS}")
        return Wanted(brought.source, brought.path, brought.url, brought.is_inside, is_state=True)
    if "://" in named:
        is_file = named.split("?")[0].endswith(".ckpt")
        return Wanted(mask_url(named), url=named, is_state=True, is_run=not is_file)
    return _here(job, output_dir, named)


def _here(job: Job, output_dir: Path, named: str) -> Wanted | Mistake:
    if is_checkpoint_path(named):
        place, source = Path(named), named
    elif named == job.run_id:
        return Mistake(KEY, "it names this very run", "", "leave it out: a run goes on by itself")
    else:
        place, source = output_dir / named, f"run {named}"
    if place.is_file():
        progress, path = checkpoints.recorded_at(place), place
    elif (state := _furthest(place, job)) is not None:
        progress, path = state.progress, state.path
    else:
        problem = f"there is no state of a training of {job.model.name} in {place}"
        question = did_you_mean(named, [run.run_id for run in manifest.past(output_dir)])
        return Mistake(KEY, problem, "", "; ".join(filter(None, (question, f"write {_FORMS}"))))
    if progress is not None and progress.epoch >= (job.mode.epochs or 0):
        problem = f"{path} has come through {progress.epoch} epochs of {job.mode.epochs}"
        return Mistake(KEY, problem, "", "raise mode.epochs: it counts from the very first epoch")
    return Wanted(source, path=path, is_state=True)


def _furthest(place: Path, job: Job) -> checkpoints.Saved | None:
    """The good state in a run's folder, or in the folder of its checkpoints."""
    folder = place / _FOLDER if (place / _FOLDER).is_dir() else place
    return checkpoints.newest(folder, job.model.name) if folder.is_dir() else None


def inside(folders: Sequence[Path], wanted: Wanted) -> Checkpoint:
    """The state that has come furthest by the records in the folders, or the only file there.

    Raises:
        CheckpointError: there is no file, or there are several without a good record.
    """
    found = files_in(folders, KEY)
    recorded = [(checkpoints.recorded_at(path), path) for path in found]
    known = [(progress.reached, path) for progress, path in recorded if progress is not None]
    if not known and len(found) > 1:
        listed = ", ".join(path.name for path in found[:10])
        raise CheckpointError(
            f"the launch brings {len(found)} checkpoints ({listed}) and no record that tells which "
            f"has come furthest; expected one, or the .json files beside them. Write {KEY}=FILE."
        )
    path = max(known, key=lambda pair: pair[0])[1] if known else found[0]
    log.info("took the state %s", path)
    return at_hand(wanted, path)


def leads(wanted: Wanted, job: Job, downloads: Path) -> Iterator[tuple[Archive, Path]]:
    """The small files that tell which state of an exported run is wanted, and where each lands.

    Each must have been fetched before the next is asked for.
    """
    if not wanted.is_run:
        return
    yield _file_of(wanted, manifest.FILE_NAME, job, downloads)
    listed = _artifacts(wanted, job, downloads)
    if _STATE_RECORD in listed:
        yield _file_of(wanted, _STATE_RECORD, job, downloads)


def to_fetch(wanted: Wanted, job: Job, downloads: Path) -> tuple[Archive, Path]:
    """The exported run's state and where it lands; before the leads are here, the first of them.

    Raises:
        CheckpointError: the run has no state.
    """
    first, path = _file_of(wanted, manifest.FILE_NAME, job, downloads)
    if not path.is_file():
        return first, path
    listed = _artifacts(wanted, job, downloads)
    states = _read(_file_of(wanted, _STATE_RECORD, job, downloads)[1])
    within = max((s["epoch"] for s in states.get("states", [])), default=-1)
    epoch, name = _last_in(listed)
    if _STATE in listed and within >= epoch:
        name = _STATE
    if not name:
        raise CheckpointError(
            f"{wanted.source} holds no state of a training by its {manifest.FILE_NAME}; expected "
            f"an exported run that trained. Write {KEY}={_FORMS}."
        )
    archive, path = _file_of(wanted, name, job, downloads)
    return archive.model_copy(update={"sha256": listed[name]}), path


def _last_in(listed: Mapping[str, str]) -> tuple[int, str]:
    """The highest epoch whose checkpoint is listed with its record, and that checkpoint.

    Not by the index, which is of another moment where the run was killed while it exported.
    """
    matches = filter(None, map(_OF_EPOCH.fullmatch, listed))
    found = [(int(match[2]), match[0]) for match in matches if f"{match[1]}.json" in listed]
    return max(found, default=(0, ""))


def _file_of(wanted: Wanted, name: str, job: Job, downloads: Path) -> tuple[Archive, Path]:
    base, _, query = wanted.url.partition("?")
    url = f"{base.rstrip('/')}/{name}" + (f"?{query}" if query else "")
    # Another job may come when the run has gone on, and must not find what it was.
    digest = hashlib.sha256(f"{mask_url(url)} {job.digest}".encode()).hexdigest()[:8]
    short = name.rpartition("/")[2]
    return Archive(url=url, name=short), downloads / f"{digest}-{short}"


def _artifacts(wanted: Wanted, job: Job, downloads: Path) -> dict[str, str]:
    path = _file_of(wanted, manifest.FILE_NAME, job, downloads)[1]
    try:
        found = Manifest.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, ValidationError) as error:
        raise CheckpointError(
            f"{wanted.source}: its {manifest.FILE_NAME} cannot be read ({type(error).__name__}); "
            f"expected the folder of an exported run. Write {KEY}={_FORMS}."
        ) from error
    return {artifact.path: artifact.sha256 for artifact in found.artifacts}


def _read(path: Path) -> dict[str, Any]:
    """What the file tells; nothing where it is missing or tells nothing that can be read."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
