"""How a job ended, by its process and by its record."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.commands.sweeping import record, sorting
from pipeline.commands.sweeping.engines.protocol import Ending
from pipeline.commands.sweeping.record import JobRecord, SweepRecord
from pipeline.commands.sweeping.verdicts import judged
from pipeline.job.sweep import Sweep
from pipeline.manifest import Failure, Manifest

BEGAN, LATER, EARLIER = (f"2026-01-0{day}T00:00:00.000Z" for day in (2, 3, 1))


def judge(folder: Path, code: int, *, words: str = "", **found: Any) -> JobRecord:
    """The verdict where the run folder holds this manifest, none without a status."""
    if found:
        Manifest(run_id="a", digest="0", started=BEGAN, **found).write(folder)
    entry = JobRecord(number=1, overrides={}, run_id="a", folder=str(folder))
    return judged(entry, Ending(code, words), began=BEGAN, log=folder / "log", log_start=4)


def test_a_complete_run_is_complete(tmp_path: Path) -> None:
    """Exit code 0 and the record agree."""
    entry = judge(tmp_path, 0, status="complete", finished=LATER, metrics={"accuracy": 0.5})

    assert (entry.status, entry.exit_code, entry.error) == ("complete", 0, None)
    assert entry.metrics == {"accuracy": 0.5}


@pytest.mark.parametrize(
    ("code", "status", "words"),
    [
        (0, "failed", "exit code 0, but its record is running"),
        (-9, "failed", "killed by SIGKILL (out of memory?)"),
        (137, "failed", "killed by SIGKILL (out of memory?)"),
        (-11, "failed", "killed by SIGSEGV (a crash in compiled code)"),
        (-64, "failed", "killed by S"),
        (-2, "interrupted", "killed by SIGINT"),
        (-15, "interrupted", "killed by SIGTERM"),
        (130, "interrupted", "ended with exit code 130"),
        (1, "failed", "ended with exit code 1; the last line"),
    ],
)
def test_a_process_that_left_no_verdict(tmp_path: Path, code: int, status: str, words: str) -> None:
    """What is known of its end stands in for it, with the stage that it was in."""
    (tmp_path / "log").write_text("old\nfirst\n\nthe last line\n", encoding="utf-8")
    told = [{"event": "run_started"}, {"event": "stage_started", "stage": "train"}]
    lines = "\n".join(map(json.dumps, told))
    (tmp_path / "events.jsonl").write_text(f"{lines}\nhalf a li", encoding="utf-8")

    entry = judge(tmp_path, code, status="running")

    assert entry.status == status
    assert entry.error is not None
    assert entry.error.message.startswith(words) or words in entry.error.message
    assert entry.error.stage == ("train" if code <= 0 or code == 137 else None)


def test_an_older_verdict_does_not_count(tmp_path: Path) -> None:
    """What an earlier start has written of its end is not the cause of this one's."""
    error = Failure(type="ValueError", message="old", stage="train")

    old = judge(tmp_path, -9, status="failed", finished=EARLIER, error=error)
    new = judge(tmp_path, 1, status="failed", finished=LATER, error=error)

    assert old.error is not None
    assert old.error.message.startswith("killed by SIGKILL")
    assert new.error == error


def test_a_job_that_became_wrong(tmp_path: Path) -> None:
    """What its process said against it is the cause; a log that is not there says nothing."""
    said = "old\nthe job is wrong, nothing ran:\n  job file: its source changed\n  and more\n"
    (tmp_path / "log").write_text(said, encoding="utf-8")

    entry = judge(tmp_path, 2)
    (tmp_path / "log").unlink()
    silent = judge(tmp_path, 1)

    assert entry.error is not None
    assert silent.error is not None
    assert entry.error.message == "job file: its source changed; and more"
    assert "it said nothing" in silent.error.message


def test_what_the_engine_knows_counts_more(tmp_path: Path) -> None:
    """A cluster that took the machine away says so itself."""
    entry = judge(tmp_path, -15, words="Slurm: TIMEOUT", status="running")

    assert entry.error is not None
    assert entry.error.message == "Slurm: TIMEOUT"


def entries(**values: dict[str, float]) -> list[JobRecord]:
    """Complete jobs that have measured this."""
    return [
        JobRecord(number=n, overrides={}, run_id=name, folder="", status="complete", metrics=found)
        for n, (name, found) in enumerate(values.items())
    ]


@pytest.mark.parametrize(
    ("sweep", "metrics", "expected"),
    [
        ({}, {"loss": 0.1, "accuracy": 0.9}, ("accuracy", "max")),
        ({}, {"loss": 0.1}, ("loss", "min")),
        ({}, {}, ("accuracy", "max")),
        ({"metric": "loss"}, {"accuracy": 0.9}, ("loss", "min")),
        ({"metric": "seconds", "direction": "min"}, {}, ("seconds", "min")),
    ],
)
def test_what_jobs_are_compared_by(
    sweep: dict[str, Any], metrics: dict[str, float], expected: tuple[str, str]
) -> None:
    """What was asked for, else accuracy, else the first that was measured; less loss is better."""
    assert sorting.compared_by(Sweep(**sweep), entries(a=metrics)) == expected


def test_the_best_comes_first(tmp_path: Path) -> None:
    """Then the others, those without a number, and at last those that are not complete."""
    found = entries(a={"loss": 0.3}, b={"loss": 0.1}, c={}, d={"loss": 0.0})
    jobs = (*found[:3], found[3].replaced(status="failed"))
    sweep = SweepRecord(
        sweep_id="s", command="", engine="local", started=BEGAN, metric="loss", direction="min"
    ).replaced(jobs=jobs)

    sweep.write(tmp_path)

    assert [entry.run_id for entry in sorting.best_first(sweep)] == ["b", "a", "c", "d"]
    assert record.read(tmp_path) == sweep
    assert record.read(tmp_path / "nothing") is None
