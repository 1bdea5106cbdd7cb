"""Whole sweeps on this machine, in real processes."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.sweeping.starting import (
    LONGEST_S,
    begun,
    events,
    is_alive,
    record,
    run,
    start,
    statuses,
    tell,
    wait_until,
)

pytestmark = pytest.mark.slow


def test_no_failure_hides_another_job(tmp_path: Path) -> None:
    """Of eight jobs one raises, one exits, one is killed: five complete, three are told and run."""
    acts = {3: "raise", 5: "exit", 7: "kill"}
    for seed, what in acts.items():
        tell(tmp_path, seed, what)
    words = ("seed=range(1,9)", "sweep.jobs=2")

    first, said = run(tmp_path, *words)
    found = record(tmp_path)
    for seed in acts:
        tell(tmp_path, seed, "")
    second, said_again = run(tmp_path, *words)
    third, said_at_last = run(tmp_path, *words)

    assert (first, second, third) == (1, 0, 0)
    assert (found["status"], found["metric"], found["direction"]) == ("failed", "accuracy", "max")
    told = {job["overrides"]["seed"]: (job["exit_code"], job["error"]) for job in found["jobs"]}
    assert {seed for seed, (code, _) in told.items() if code == 0} == set("12468")
    assert told["3"] == (1, {"type": "KeyError", "message": "'nobody'", "stage": "act"})
    assert "sys.exit(0)" in told["5"][1]["message"]
    assert told["7"][0] == -9
    assert told["7"][1]["message"] == "killed by SIGKILL (out of memory?)"
    assert "5 complete, 3 failed" in said
    assert "report.html" in said
    assert "killed by SIGKILL (out of memory?) (stage act); log: " in said
    assert {seed: len(begun(tmp_path, seed)) for seed in (1, 3, 4, 5, 7)} == {
        **{1: 1, 4: 1},
        **{3: 2, 5: 2, 7: 2},
    }
    assert "5 complete already" in said_again
    assert set(statuses(tmp_path).values()) == {"complete"}
    assert "nothing to do" in said_at_last
    page = next((tmp_path / "output_dir" / "sweeps").glob("*/report.html")).read_text("utf-8")
    assert "8 / 8" in page
    # The archive came once, and was unpacked once.
    assert len(events(tmp_path, "fetched")) == 1
    assert len(events(tmp_path, "extracted")) == 1
    assert len(list((tmp_path / "data_dir" / "datasets").glob("digits-*"))) == 1


def test_an_end_without_a_verdict_is_a_failure(tmp_path: Path) -> None:
    """A process that ends with 0 and has not done its job is not believed."""
    tell(tmp_path, 1, "vanish")

    code, said = run(tmp_path, "seed=1,2")

    assert code == 1
    assert statuses(tmp_path) == {"1": "failed", "2": "complete"}
    assert "exit code 0, but its record is running" in said


@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_all(tmp_path: Path, number: int, exit_code: int) -> None:
    """What is at work saves its record and ends, what waits is never begun, nobody stays behind."""
    for seed in (1, 2, 3):
        tell(tmp_path, seed, "wait")
    sweep = start(tmp_path, "seed=1,2,3", "sweep.jobs=2")
    wait_until(lambda: bool(begun(tmp_path, 1) and begun(tmp_path, 2)), "two jobs at work")

    sweep.send_signal(number)
    said, _ = sweep.communicate(timeout=LONGEST_S)

    assert sweep.returncode == exit_code
    assert statuses(tmp_path) == {"1": "interrupted", "2": "interrupted", "3": "waiting"}
    assert [job["exit_code"] for job in record(tmp_path)["jobs"]] == [exit_code, exit_code, None]
    assert record(tmp_path)["status"] == "interrupted"
    assert not any(is_alive(pid) for seed in (1, 2) for pid in begun(tmp_path, seed))
    assert begun(tmp_path, 3) == []
    assert "the rest" in said


def test_an_orphan_is_waited_for(tmp_path: Path) -> None:
    """After kill -9 a job goes on; the same sweep waits for it, and starts it no second time."""
    tell(tmp_path, 1, "wait")
    _leave_orphan(tmp_path, "seed=1,2")
    said = tmp_path / "said.txt"

    sweep = start(tmp_path, "seed=1,2", said=said)
    wait_until(lambda: "not started twice" in said.read_text(), "the orphan is found")
    (tmp_path / "acts" / "go").touch()

    assert sweep.wait(timeout=LONGEST_S) == 0
    assert len(begun(tmp_path, 1)) == 1
    assert statuses(tmp_path) == {"1": "complete", "2": "complete"}


def test_ctrl_c_ends_an_orphan_too(tmp_path: Path) -> None:
    """Who ends the sweep that waits for it ends what an earlier start has left behind."""
    tell(tmp_path, 1, "wait")
    orphan = _leave_orphan(tmp_path, "seed=1,2")
    said = tmp_path / "said.txt"
    sweep = start(tmp_path, "seed=1,2", said=said)
    log = tmp_path / "output_dir" / "sweeps"
    wait_until(
        lambda: any("this one waits" in path.read_text() for path in log.glob("*/jobs/*.log")),
        "somebody waits for the orphan",
    )

    sweep.send_signal(signal.SIGINT)

    assert sweep.wait(timeout=LONGEST_S) == 130
    wait_until(lambda: not is_alive(orphan), "the orphan's end")


def test_the_same_sweep_runs_once_at_a_time(tmp_path: Path) -> None:
    """A second start while the first is at work names it and ends with 1."""
    tell(tmp_path, 1, "wait")
    first = start(tmp_path, "seed=1,2")
    wait_until(lambda: bool(begun(tmp_path, 1)), "the first job")

    code, said = run(tmp_path, "seed=1,2")
    (tmp_path / "acts" / "go").touch()
    first.communicate(timeout=LONGEST_S)

    assert (code, first.returncode) == (1, 0)
    assert f"pid {first.pid}" in said


def _leave_orphan(folder: Path, *words: str) -> int:
    """The process of the first job, whose sweep was killed."""
    sweep = start(folder, *words)
    wait_until(lambda: bool(begun(folder, 1)), "the first job")
    os.kill(sweep.pid, signal.SIGKILL)
    with sweep:
        assert sweep.wait(timeout=LONGEST_S) == -signal.SIGKILL
    return begun(folder, 1)[0]


def test_reading_the_end_of_the_pipe_stops_nothing(tmp_path: Path) -> None:
    """`| head` takes the lines away, not the jobs."""
    sweep = start(tmp_path, "seed=1,2")
    assert isinstance(sweep, subprocess.Popen)
    assert sweep.stdout is not None
    sweep.stdout.close()

    assert sweep.wait(timeout=LONGEST_S) == 0
    assert statuses(tmp_path) == {"1": "complete", "2": "complete"}
