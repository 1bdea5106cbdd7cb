"""The digest that names a run: a function of what decides its result, and of nothing else."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from pipeline.archives import stem
from pipeline.component import source_of
from pipeline.files import sha256_of
from pipeline.job import Archive, Job


def digest_of(job: Job, checkpoint_as_written: str | None) -> str:
    """The SHA-256 of the job's deciding values and of the sources its names point to.

    Not in it: URLs, cluster, folders, the export place and limits, so that the same job has
    the same name everywhere; the checkpoint counts as it was written for the same reason.
    """
    values = job.model_dump(mode="json")
    dataset = {k: v for k, v in values["dataset"].items() if k not in ("archives", "limits")}
    device = {k: v for k, v in values["device"].items() if k != "env"}
    targets = [component.target for component in job.components.values()]
    targets += [name for name in job.mode.stages if "." in name]
    deciding = {
        "dataset": dataset,
        "inputs": [_input(archive) for archive in job.dataset.archives],
        "model": values["model"],
        "mode": {**values["mode"], "checkpoint": checkpoint_as_written},
        "device": device,
        "seed": values["seed"],
        "sources": {target: _source(target) for target in sorted(targets)},
    }
    text = json.dumps(deciding, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def _input(archive: Archive) -> str:
    return archive.sha256 or stem(archive.name)


def _source(target: str) -> str:
    path: Path | None = source_of(target)
    return sha256_of(path) if path else ""
