"""Whole trainings whose curves TensorBoard shows."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.test_jobs import command, environment, manifest_of, run_folder

pytest.importorskip("tensorboard")
pytestmark = [pytest.mark.mindspore, pytest.mark.slow]

EPOCHS = 12


def board(folder: Path) -> Any:
    """What TensorBoard shows of the folder."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(folder))
    found.Reload()
    return found


def test_a_killed_training_goes_on_without_a_gap(tmp_path: Path) -> None:
    """Every epoch has one point, equal to its row, in the folder that the platform names."""
    place = tmp_path / "看板"
    arguments = command(
        tmp_path,
        f"mode.epochs={EPOCHS}",
        "mode.evaluate_every=4",
        "mode.schedule._target_=pipeline.training.schedules.cosine",
    )
    variables = environment(LOCAL_TENSORBOARD_PATH=str(place))
    first = subprocess.Popen(
        arguments, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    checkpoint = tmp_path / "outputs"
    while not list(checkpoint.glob("train-*/checkpoints/lenet5-2.json")):
        assert first.poll() is None
        time.sleep(0.05)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()

    done = subprocess.run(arguments, env=variables, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    run = run_folder(tmp_path)
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    found = board(place / run.name)
    losses = [(p.step, pytest.approx(p.value)) for p in found.Scalars("train/loss")]
    assert [(row["epoch"], row["loss"]) for row in rows] == losses
    assert [p.step for p in found.Scalars("train/loss")] == list(range(1, EPOCHS + 1))
    assert [p.step for p in found.Scalars("test/accuracy")] == [4, 8, 12]
    rates = [p.value for p in found.Scalars("train/learning_rate")]
    assert rates == sorted(rates, reverse=True)
    assert rates[0] > rates[-1]
    (final,) = found.Scalars("final/accuracy")
    assert final.value == pytest.approx(manifest_of(run)["metrics"]["accuracy"])
    assert not (run / "tensorboard").exists()
