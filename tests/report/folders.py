"""Run folders for pages: everything that a training leaves, made in a moment."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline import manifest
from pipeline.manifest import Manifest
from tests.runs.leaving import leave_run, manifest_of

# A grey picture of one pixel.
PNG = base64.b64encode(
    bytes.fromhex(
        "89504e470d0a1a0a0000000d4948445200000001000000010800000000"
        "3a7e9b550000000a49444154789c63680000008200817ee4b2ef0000000049454e44ae426082"
    )
).decode()
RUN_ID = "train-lenet5-digits-01234567"


def leave_training(folder: Path, run_id: str = RUN_ID, *, epochs: int = 10, **changes: Any) -> Path:
    """A complete training with curves, results, samples, events, and what it was started with."""
    place = leave_run(folder, run_id, losses=(), **changes)
    rows = [
        {"epoch": n, "step": n * 5, "loss": 1 / n, "accuracy": 1 - 0.5 / n, "test_accuracy": 0.9}
        for n in range(1, epochs + 1)
    ]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (place / "metrics.jsonl").write_text(lines, encoding="utf-8")
    write(place, "metrics.json", results(3))
    write(place, "samples.json", samples())
    write(place, "checkpoints/index.json", {"best": {"epoch": min(7, epochs)}})
    settings = [
        {"key": "model", "choice": "lenet5", "origin": "the command line"},
        {"key": "mode.epochs", "default": 30, "origin": "the command line"},
    ]
    start = {"settings": settings, "packages": ["numpy==1.26.4"], "project": {"commit": "abc"}}
    write(place, "provenance.json", {"starts": [start], "inputs": []})
    (place / "events.jsonl").write_text(events(), encoding="utf-8")
    return place


def results(classes: int) -> dict[str, Any]:
    """metrics.json of so many classes, with one mistake."""
    matrix = [[9 if i == j else 0 for j in range(classes)] for i in range(classes)]
    matrix[classes - 1][0] = 4
    score = {"precision": 1.0, "recall": 0.5, "f1": 0.75, "support": 9}
    return {
        "accuracy": 0.9,
        "loss": 0.25,
        "samples": 9 * classes + 4,
        "per_class": [{"label": i, **score} for i in range(classes)],
        "confusion_matrix": matrix,
    }


def samples() -> dict[str, Any]:
    """samples.json of one wrong sample and one right one."""
    wrong = {"index": 3, "predicted": 1, "probability": 0.75, "label": 2, "png": PNG}
    right = {"index": 5, "predicted": 2, "probability": 0.5, "label": 2, "png": PNG}
    return {"total": 40, "wrong": 1, "samples": [wrong, right]}


def events() -> str:
    """The events of a run that was killed in its training, and came to its end when it went on."""
    told = [
        ("00", "run_started", {}),
        ("01", "stage_started", {"stage": "train"}),
        ("09", "epoch", {"epoch": 1}),
        ("20", "run_started", {}),
        ("21", "stage_started", {"stage": "train"}),
        ("29", "stage_ended", {"stage": "train"}),
        ("30", "stage_started", {"stage": "export"}),
    ]
    lines = [
        {"time": f"2026-01-01T00:00:{second}.000Z", "event": name, **facts}
        for second, name, facts in told
    ]
    return "".join(json.dumps(line) + "\n" for line in lines)


def write(folder: Path, name: str, value: Any) -> None:
    """The folder holds this value as JSON."""
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")


def manifest_in(folder: Path) -> Manifest:
    """The folder's record."""
    found = manifest.read(folder)
    assert found is not None
    return found


def record_of(**changes: Any) -> Manifest:
    """A run's record with these fields changed."""
    return Manifest.model_validate(manifest_of(RUN_ID, **changes))


def leave_sweep(folder: Path, jobs: list[Mapping[str, Any]], **changes: Any) -> Path:
    """The record of a sweep over these jobs, in its place below the output folder."""
    path = folder / "sweeps" / "sweep-1" / "sweep.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    record = {
        "sweep_id": "sweep-1",
        "command": "python run.py -m mode.epochs=1,2",
        "engine": "local",
        "status": "complete",
        "started": "2026-01-01T00:00:00.000Z",
        "finished": None,
        "metric": "accuracy",
        "direction": "max",
        "jobs": jobs,
        **changes,
    }
    path.write_text(json.dumps(record), encoding="utf-8")
    return path


def swept_job(number: int, **changes: Any) -> dict[str, Any]:
    """One job of a sweep that went well."""
    return {
        "number": number,
        "overrides": {"mode.learning_rate": 10.0**-number, "model": "lenet5"},
        "run_id": f"run-{number}",
        "folder": None,
        "status": "complete",
        "exit_code": 0,
        "seconds": 2.5,
        "metrics": {"accuracy": 0.9 - number / 100},
        "error": None,
        **changes,
    }
