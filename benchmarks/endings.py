"""How long a job that is told to end takes to save, to export and to go."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks import data, jobs
from benchmarks.measure import MeasuringError
from benchmarks.results import Goal, Result, Row
from benchmarks.setting import Setting

_MOMENTS = 5
# From the start of the training on: compiling the step, and many epochs. Before it there is nothing
# to export.
_LATEST_S = 7.0
_LONGEST_S = 5.0
_TERMINATED = 128 + signal.SIGTERM
# A process that takes longer hangs.
_PATIENCE_S = 60.0


def measure(setting: Setting) -> Iterator[Result]:
    """SIGTERM at random moments, whatever the rounds."""
    made = random.Random(data.SEED)
    rows = [
        _ended(setting.scratch / f"ending-{number}", after_s=made.uniform(0, _LATEST_S))
        for number in range(_MOMENTS)
    ]
    longest_s = max(row.median_s for row in rows)
    yield Result(
        name="endings",
        title=f"SIGTERM at {_MOMENTS} random moments",
        explanation=(
            "The default job on the digits, with epochs enough: from SIGTERM to the end of the "
            "process, which finishes its step, saves, and exports what there is. Each ends with "
            f"exit code {_TERMINATED}, and the exported manifest says `interrupted`."
        ),
        rows=tuple(rows),
        goals=(Goal("longest time to the end", longest_s, _LONGEST_S, unit=" s"),),
    )


def _ended(folder: Path, *, after_s: float) -> Row:
    """What one ending took, so long after the run began."""
    folder.mkdir()
    command = jobs.default(str(folder), "mode.epochs=100000")
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
        try:
            _wait_for_training(process, folder)
            time.sleep(after_s)
            signalled_s = time.perf_counter()
            process.terminate()
            exit_code = process.wait(_PATIENCE_S)
            seconds = time.perf_counter() - signalled_s
        finally:
            process.kill()
            process.wait()
    _check(folder, exit_code)
    epochs = jobs.count_epochs(folder)
    note = f"in epoch {epochs + 1}" if epochs else "before the end of the first epoch"
    return Row(f"{after_s:.1f} s after training began", (seconds,), note=note, is_ours=True)


def _wait_for_training(process: subprocess.Popen[bytes], folder: Path) -> None:
    deadline_s = time.monotonic() + _PATIENCE_S
    while not any(_trains(path) for path in folder.glob("outputs/*/events.jsonl")):
        if process.poll() is not None or time.monotonic() > deadline_s:
            raise MeasuringError(f"{folder}: the job did not train; see {folder / 'output'}.")
        time.sleep(0.01)


def _trains(events: Path) -> bool:
    return any(
        '"stage_started"' in line and '"train"' in line
        for line in events.read_text(encoding="utf-8").splitlines()
    )


def _check(folder: Path, exit_code: int) -> None:
    manifests = list(folder.glob("exports/*/manifest.json"))
    said = [json.loads(path.read_text(encoding="utf-8"))["status"] for path in manifests]
    if exit_code != _TERMINATED or said != ["interrupted"]:
        printed = (folder / "output").read_text(encoding="utf-8", errors="replace")
        raise MeasuringError(
            f"a job that was terminated gave {exit_code} and its exported manifest says {said}; "
            f"expected {_TERMINATED} and 'interrupted': {printed[-2000:]}"
        )
