"""How long the list of past runs takes, whole process, over many run folders."""

from __future__ import annotations

import hashlib
import json
import random
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

from benchmarks.measure import ROOT, Contestant, in_turn, wall_s
from benchmarks.results import Goal, Result, row
from benchmarks.setting import Setting

COUNT = 500
GOAL_S = 1.0
_EPOCHS = 20
_STAGES = ("fetch", "extract", "build", "train", "evaluate", "export")
_NAME = f"runs, {COUNT} folders"
_EMPTY = "runs, none"


def measure(setting: Setting) -> Iterator[Result]:
    """The whole process over many folders, beside the same over none and `plan`."""
    folder = setting.scratch / "runs"
    make_folders(folder / "outputs", COUNT)
    command = [sys.executable, str(ROOT / "run.py")]
    place = f"cluster.output_dir={folder}/outputs"
    contestants = [
        Contestant(_EMPTY, [*command, "runs", f"cluster.output_dir={folder}/nothing"]),
        Contestant(_NAME, [*command, "runs", place]),
        Contestant(f"{_NAME}, filtered", [*command, "runs", place, "model=mlp", "accuracy>=0.9"]),
        Contestant("plan", [*command, "plan", f"cluster.output_dir={folder}/nothing"]),
    ]
    found = in_turn(contestants, rounds=setting.rounds, folder=setting.scratch)
    slowest_s = max(found[_NAME].of(wall_s))
    yield Result(
        name="runs",
        title=f"The list of {COUNT} past runs, whole processes",
        explanation=(
            f"{COUNT} run folders such as a training of {_EPOCHS} epochs leaves, each with its "
            "manifest, configuration and curves; the list reads the manifests alone. The goal "
            "counts for the slowest round."
        ),
        rows=tuple(row(n, t, other=found[_EMPTY], is_ours=n == _NAME) for n, t in found.items()),
        against=_EMPTY,
        goals=(Goal(f"{COUNT} runs listed, seconds", slowest_s, GOAL_S),),
    )


def make_folders(output_dir: Path, count: int) -> None:
    """So many run folders lie in `output_dir`, as trainings would have left them."""
    chance = random.Random(1)
    for number in range(count):
        manifest = _manifest(number, chance)
        folder = output_dir / manifest["run_id"]
        (folder / "checkpoints").mkdir(parents=True)
        (folder / "manifest.json").write_text(json.dumps(manifest, indent=2), encoding="utf-8")
        (folder / "config.yaml").write_text(f"seed: {number}\n", encoding="utf-8")
        losses = [(epoch, 2.3 / epoch) for epoch in range(1, _EPOCHS + 1)]
        lines = [json.dumps({"epoch": epoch, "loss": loss}) for epoch, loss in losses]
        (folder / "metrics.jsonl").write_text("\n".join(lines), encoding="utf-8")


def _manifest(number: int, chance: random.Random) -> dict[str, object]:
    digest = _sha256(f"run {number}")
    model, accuracy = chance.choice(("lenet5", "mlp", "resnet18")), chance.uniform(0.5, 1)
    started = datetime(2026, 1, 1, tzinfo=timezone.utc) + timedelta(minutes=17 * number)
    status = "failed" if number % 9 == 0 else "complete"
    files = [f"checkpoints/{model}-{epoch}.{kind}" for epoch in range(1, _EPOCHS + 1)
             for kind in ("ckpt", "json")]  # fmt: skip
    files += ["checkpoints/index.json", "config.yaml", "metrics.json", "metrics.jsonl"]
    return {
        "run_id": f"train-{model}-digits-{digest[:8]}",
        "digest": digest,
        "status": status,
        "started": started.isoformat().replace("+00:00", "Z"),
        "finished": (started + timedelta(seconds=40)).isoformat().replace("+00:00", "Z"),
        "command": f"python run.py model={model} seed={number}",
        "job": {"mode": "train", "model": model, "dataset": "digits"},
        "stages": [
            {"name": name, "status": "done", "seconds": round(chance.uniform(0, 9), 3)}
            for name in _STAGES
        ],
        "metrics": {"accuracy": accuracy, "loss": 1 - accuracy} if status == "complete" else {},
        "artifacts": [
            {"path": path, "size_bytes": 494538, "sha256": _sha256(f"{number} {path}")}
            for path in files
        ],
        "inputs": [{"name": "digits.zip", "kind": "archive", "sha256": _sha256("digits")}],
        "launch": {"cluster": "local", "detected_by": "nothing was launched", "ranks": 1},
        "environment": {"python": "3.11.7", "mindspore": "2.10.0", "device": "CPU"},
    }


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
