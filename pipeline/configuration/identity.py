"""The digest that names a run: a function of what decides its result, and of nothing else."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.archives import stem
from pipeline.configuration import imports
from pipeline.disk.files import sha256_of
from pipeline.job import placeholders
from pipeline.job.component import source_of
from pipeline.job.job import Archive, Job

# Where data come from, what is kept, and how steps are fed, change no bit of the result.
UNDECIDING = (
    "dataset.archives",
    "dataset.limits",
    "dataset.keep_archives",
    "device.env",
    "device.steps_per_graph",
    "device.data_sink",
    "mode.keep_checkpoints",
    "mode.checkpoint_every_s",
    "mode.time_budget_min",
    "mode.export_formats",
)
# How to learn, which is nothing to a mode without epochs.
_LEARNING = (
    *("mode.optimizer", "mode.schedule", "mode.loss", "mode.gradient_accumulation"),
    *("mode.evaluate_every", "mode.strict"),
)


def digest_of(job: Job, as_written: Mapping[str, str | None]) -> str:
    """The SHA-256 of the job's deciding values and of the sources its names point to.

    Not in it: URLs, cluster, folders, the export place, limits and what is kept, so that the same
    job has the same name everywhere; `mode.checkpoint` and `mode.resume` count `as_written` for
    the same reason.
    """
    # A key that is added later, with a default that changes nothing, gives no job another name.
    values = job.model_dump(mode="json", exclude_defaults=True)
    left_out = _LEARNING if job.mode.epochs is None else ()
    deciding = {
        "dataset": _deciding(values, "dataset"),
        "inputs": [_input(archive) for archive in job.dataset.archives],
        "model": values["model"],
        "mode": {**_deciding(values, "mode", left_out), "stages": _stages(job), **as_written},
        "device": _deciding(values, "device"),
        "seed": values["seed"],
        "sources": sources_of(job),
    }
    text = json.dumps(deciding, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def sources_of(job: Job) -> dict[str, str]:
    """The SHA-256 of the source that each of the job's dotted names points to, in their order."""
    targets = [component.target for component in job.components.values()]
    targets += [name for name in job.mode.stages if "." in name]
    found = {target: _source(target) for target in sorted(targets)}
    return {**found, **_script_sources(job)}


def _script_sources(job: Job) -> dict[str, str]:
    """The same for the files of the script that a job's command runs."""
    script = placeholders.script_in(job.mode.command or (), job.root)
    if script is None or not script.is_file():
        return {}
    files = imports.files_of(script)
    return {path.relative_to(script.parent).as_posix(): sha256_of(path) for path in files}


def _deciding(
    values: Mapping[str, Any], part: str, left_out: tuple[str, ...] = ()
) -> dict[str, Any]:
    names = {*UNDECIDING, *left_out}
    return {k: v for k, v in values[part].items() if f"{part}.{k}" not in names}


def _stages(job: Job) -> list[str]:
    # Model files are made of the result, with the stage that comes along.
    return [name for name in job.mode.stages if name != "convert"]


def _input(archive: Archive) -> str:
    return archive.sha256 or stem(archive.name)


def _source(target: str) -> str:
    # MindSpore's own files differ with its version, and a run keeps its name over versions.
    path: Path | None = None if target.startswith("mindspore.") else source_of(target)
    return sha256_of(path) if path else ""
