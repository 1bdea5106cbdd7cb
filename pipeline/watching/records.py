"""What a run's own records tell that a board repeats: settings, times, how far it has come."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from pipeline.disk.plain import plain
from pipeline.job.job import Job
from pipeline.messages.masking import masked

_NUMBERS = ("epochs", "batch_size", "learning_rate", "momentum", "gradient_accumulation")


def settings_of(job: Job) -> dict[str, Any]:
    """What decides the job's result, by short names; nested values as JSON."""
    mode, network = job.mode, job.model.network
    parts = {"model.network": network, "optimizer": mode.optimizer, "schedule": mode.schedule}
    found = {"seed": job.seed, "model": job.model.name, "dataset": job.dataset.name}
    found.update({name: getattr(mode, name) for name in _NUMBERS})
    found["precision"] = job.device.precision
    for key, part in parts.items():
        found[key] = part.target.rpartition(".")[2]
        found.update({f"{key}.{name}": value for name, value in part.arguments.items()})
    told = masked(plain(found))
    return {
        name: value if isinstance(value, (bool, int, float, str)) else json.dumps(value)
        for name, value in told.items()
        if value is not None
    }


def times_of(run_folder: Path) -> dict[int, float]:
    """When each epoch ended, in seconds since 1970, as far as the events tell."""
    found = {}
    for event in _lines(run_folder / "events.jsonl"):
        if event.get("event") == "epoch":
            time = datetime.fromisoformat(str(event["time"]).replace("Z", "+00:00"))
            found[int(event["epoch"])] = time.timestamp()
    return found


def rows_of(run_folder: Path) -> list[dict[str, Any]]:
    """One row for each epoch that was trained."""
    return list(_lines(run_folder / "metrics.jsonl"))


def config_of(run_folder: Path) -> str:
    """The composed job, without secrets."""
    return (run_folder / "config.yaml").read_text(encoding="utf-8")


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    """The whole lines of a table; what a kill has left of one is no line."""
    if not path.is_file():
        return
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
        if line.endswith("\n"):
            yield json.loads(line)
