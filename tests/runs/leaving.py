"""Run folders as jobs leave them, made in a moment."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from pipeline.disk.clock import now_iso

CONFIG = {
    "seed": 1,
    "model": {"name": "lenet5", "network": {"_target_": "pipeline.models.lenet5.LeNet5"}},
    "mode": {"name": "train", "epochs": 3, "export_formats": []},
}


def manifest_of(run_id: str, **changes: Any) -> dict[str, Any]:
    """A complete training's manifest with these fields changed."""
    return {
        "run_id": run_id,
        "digest": "0" * 64,
        "status": "complete",
        "started": now_iso(),
        "finished": now_iso(),
        "command": "python run.py mode.epochs=3",
        "job": {"mode": "train", "model": "lenet5", "dataset": "digits"},
        "stages": [
            {"name": "fetch", "status": "skipped", "seconds": 0.0, "reason": "already here"},
            {"name": "train", "status": "done", "seconds": 2.5, "epochs": 3},
            {"name": "export", "status": "done", "seconds": 0.5, "url": f"/exports/{run_id}"},
        ],
        "metrics": {"accuracy": 0.9, "loss": 0.25},
        "artifacts": [{"path": "checkpoints/a-3.ckpt", "size_bytes": 2000, "sha256": "1" * 64}],
        "inputs": [{"name": "digits.zip", "size_bytes": 46251, "sha256": "f" * 64}],
        "launch": {"cluster": "local", "ranks": 1},
        "environment": {"python": "3.11.7", "mindspore": "2.10.0", "device": "CPU", "host": "a"},
        **changes,
    }


def leave_run(
    output_dir: Path,
    run_id: str,
    *,
    folder: str = "",
    config: Mapping[str, Any] = CONFIG,
    losses: tuple[float, ...] = (2.0, 1.0, 0.5),
    **changes: Any,
) -> Path:
    """The run's folder lies in `output_dir`, under another name where `folder` gives one."""
    place = output_dir / (folder or run_id)
    place.mkdir(parents=True)
    text = json.dumps(manifest_of(run_id, **changes))
    (place / "manifest.json").write_text(text, encoding="utf-8")
    (place / "config.yaml").write_text(yaml.safe_dump(dict(config)), encoding="utf-8")
    rows = [{"epoch": epoch, "loss": loss} for epoch, loss in enumerate(losses, 1)]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (place / "metrics.jsonl").write_text(lines, encoding="utf-8")
    return place
