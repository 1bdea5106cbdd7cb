"""The default job with five seeds: how good, how long."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from benchmarks import jobs
from benchmarks.measure import run
from benchmarks.results import Goal, Result, Row
from benchmarks.setting import Setting

SEEDS = (1, 2, 3, 4, 5)
LEAST_ACCURACY = 0.97


def measure(setting: Setting) -> Iterator[Result]:
    """Each seed is one job, whatever the rounds."""
    rows, accuracies = [], []
    for seed in SEEDS:
        folder = setting.scratch / f"seed-{seed}"
        folder.mkdir()
        usage = run(jobs.default(str(folder), f"seed={seed}"), folder=folder)
        accuracies.append(_accuracy(folder))
        note = f"test accuracy {accuracies[-1]:.4f}"
        rows.append(
            Row(f"seed {seed}", (usage.wall_s,), cpu_s=usage.cpu_s, note=note, is_ours=True)
        )
    yield Result(
        name="job",
        title="The default job, five seeds",
        explanation=(
            "The whole of `python run.py`: fetch, extract, build, train, evaluate, export; each "
            "seed once."
        ),
        rows=tuple(rows),
        goals=(Goal("lowest test accuracy", min(accuracies), LEAST_ACCURACY, is_least=True),),
    )


def _accuracy(folder: Path) -> float:
    manifest = next((folder / "exports").glob("*/manifest.json"))
    return float(json.loads(manifest.read_text(encoding="utf-8"))["metrics"]["accuracy"])
