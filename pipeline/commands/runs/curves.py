"""Learning curves of runs, as they were recorded epoch by epoch."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.commands.runs.record import Run

FILE_NAME = "metrics.jsonl"
# Where a row stands, and how fast the machine was.
_NO_CURVES = ("epoch", "step", "samples_per_s", "seconds", "learning_rate")

# (epoch, value) in the order of the epochs.
Points = list[tuple[float, float]]


def rows_of(run: Run) -> list[dict[str, Any]]:
    """One row per epoch; what is damaged of the record is left out."""
    content = run.read(FILE_NAME) or b""
    rows = []
    for line in content.decode("utf-8", "replace").splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict) and isinstance(row.get("epoch"), int):
            rows.append(row)
    return rows


def curves_of(runs: Sequence[Run]) -> dict[str, list[Points]]:
    """For each column of the records the curve of every run, in their order; empty without one."""
    rows = [rows_of(run) for run in runs]
    names = dict.fromkeys(name for each in rows for row in each for name in row)
    found = {
        name: [_points(each, name) for each in rows] for name in names if name not in _NO_CURVES
    }
    return {name: curves for name, curves in found.items() if any(curves)}


def _points(rows: Sequence[Mapping[str, Any]], name: str) -> Points:
    pairs = [(row["epoch"], row.get(name)) for row in rows]
    return [
        (float(epoch), float(value))
        for epoch, value in pairs
        if isinstance(value, (int, float)) and math.isfinite(value)
    ]
