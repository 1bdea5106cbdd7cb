"""What a mode says about learning reaches training: whole jobs on the digits."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.test_jobs import manifest_of, run, run_folder

pytestmark = [pytest.mark.mindspore, pytest.mark.slow]


def test_a_plan_from_the_command_line(tmp_path: Path) -> None:
    """Batches are gathered for a step, epochs measured, training ends early, and few are kept."""
    found = run(
        tmp_path,
        *("mode.epochs=6", "mode.gradient_accumulation=2", "mode.evaluate_every=1"),
        *("mode.early_stopping={patience: 2, min_delta: 2.0}", "mode.keep_checkpoints=1"),
    )

    assert found.returncode == 0, found.stderr
    folder = run_folder(tmp_path)
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    # The first measuring is the best so far; none after it is better by two.
    assert [row["step"] for row in rows] == [22, 44, 66]
    assert all({"test_accuracy", "test_loss"} <= row.keys() for row in rows)
    index = json.loads((folder / "checkpoints" / "index.json").read_text("utf-8"))
    kept = {path.name for path in (folder / "checkpoints").glob("*.ckpt")}
    assert kept == {index["best"]["path"], index["last"]["path"]}
    assert index["best"]["test_accuracy"] == max(row["test_accuracy"] for row in rows)
    assert manifest_of(folder)["stages"][3]["epochs"] == 3
