"""Whole sweeps on this machine, in real processes."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest

from tests.sweeping import contract
from tests.sweeping.starting import (
    LONGEST_S,
    begun,
    is_alive,
    leave_orphan,
    run,
    start,
    statuses,
    tell,
    wait_until,
)

pytestmark = pytest.mark.slow


def test_no_failure_hides_another_job(tmp_path: Path) -> None:
    """Of eight jobs one raises, one exits, one is killed: five complete, three are told and run."""
    contract.hides_no_job(tmp_path)


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
    contract.ends_all_on(number, exit_code, tmp_path)


def test_an_orphan_is_waited_for(tmp_path: Path) -> None:
    """After kill -9 a job goes on; the same sweep waits for it, and starts it no second time."""
    tell(tmp_path, 1, "wait")
    leave_orphan(tmp_path, "seed=1,2")
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
    orphan = leave_orphan(tmp_path, "seed=1,2")
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


def test_reading_the_end_of_the_pipe_stops_nothing(tmp_path: Path) -> None:
    """`| head` takes the lines away, not the jobs."""
    sweep = start(tmp_path, "seed=1,2")
    assert isinstance(sweep, subprocess.Popen)
    assert sweep.stdout is not None
    sweep.stdout.close()

    assert sweep.wait(timeout=LONGEST_S) == 0
    assert statuses(tmp_path) == {"1": "complete", "2": "complete"}
