"""Whole sweeps through a real Ray on this machine, and through submitit's executor of it."""

from __future__ import annotations

import importlib.util
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sweeping import clusters, contract
from tests.sweeping.starting import (
    LONGEST_S,
    begun,
    is_alive,
    leave_orphan,
    record,
    run,
    start,
    statuses,
    tell,
    wait_until,
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=["ray", "submitit"])
def words(request: pytest.FixtureRequest) -> Iterator[list[str]]:
    """The words that send a sweep's jobs to each of the two."""
    if importlib.util.find_spec(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    if request.param == "submitit":
        yield clusters.slurm()
        return
    with clusters.ray() as found:
        yield found


def test_no_failure_hides_another_job(tmp_path: Path, words: list[str]) -> None:
    """Of eight jobs one raises, one exits, one is killed: as on this machine."""
    contract.hides_no_job(tmp_path, *words)


def test_a_signal_ends_all(tmp_path: Path, words: list[str]) -> None:
    """Jobs save and end wherever they run, and what waits is never begun."""
    contract.ends_all_on(signal.SIGINT, 130, tmp_path, *words)


def test_a_killed_worker_is_told(tmp_path: Path, words: list[str]) -> None:
    """Where the worker that looks after a job is killed, its job ends, and the other completes."""
    tell(tmp_path, 1, "wait")
    sweep = start(tmp_path, "seed=1,2", *words)
    wait_until(lambda: bool(begun(tmp_path, 1)), "the first job")
    job = begun(tmp_path, 1)[0]

    os.kill(_parent_of(job), signal.SIGKILL)
    said, _ = sweep.communicate(timeout=LONGEST_S)

    assert sweep.returncode == 1, said
    assert statuses(tmp_path) == {"1": "failed", "2": "complete"}
    error = record(tmp_path)["jobs"][0]["error"]
    assert "worker" in error["message"]
    wait_until(lambda: not is_alive(job), "the end of the job")


def test_no_job_is_lost_or_run_twice(tmp_path: Path, words: list[str]) -> None:
    """After kill -9 of the sweep the same sweep completes, and no job was at work twice at once."""
    tell(tmp_path, 1, "wait")
    orphan = leave_orphan(tmp_path, "seed=1,2", *words)
    said = tmp_path / "said.txt"

    sweep = start(tmp_path, "seed=1,2", *words, said=said)
    wait_until(lambda: "[1/2] starts" in said.read_text(), "the second start")
    was_alive = is_alive(orphan) and len(begun(tmp_path, 1)) == 1
    (tmp_path / "acts" / "go").touch()

    assert sweep.wait(timeout=LONGEST_S) == 0, said.read_text()
    assert statuses(tmp_path) == {"1": "complete", "2": "complete"}
    assert not is_alive(orphan)
    if "slurm" in words[0]:
        # Ray ends what a dead sweep has started; Slurm does not.
        assert was_alive
        assert len(begun(tmp_path, 1)) == 1


def test_what_only_waits_is_taken_back(tmp_path: Path, words: list[str]) -> None:
    """A job in Ray's queue is never begun where the sweep is asked to end."""
    if "ray" not in words[0]:
        pytest.skip("submitit's executor of this machine has no queue")
    for seed in (1, 2):
        tell(tmp_path, seed, "wait")
    sweep = start(
        tmp_path, "seed=1,2", "sweep.jobs=2", f"sweep.ray.num_cpus={clusters.CORES}", *words
    )
    wait_until(lambda: bool(begun(tmp_path, 1) or begun(tmp_path, 2)), "a job at work")

    sweep.send_signal(signal.SIGTERM)
    said, _ = sweep.communicate(timeout=LONGEST_S)

    assert sweep.returncode == 143, said
    assert statuses(tmp_path) == {"1": "interrupted", "2": "interrupted"}
    assert [job["exit_code"] for job in record(tmp_path)["jobs"]] == [143, 143]
    assert len(begun(tmp_path, 1)) + len(begun(tmp_path, 2)) == 1


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        (("ray", "sweep.ray.address=127.0.0.1:1"), "no Ray cluster answers at 127.0.0.1:1"),
        (("ray", "sweep.ray.address=local"), "'local' is no address of a Ray cluster"),
        (("slurm", "sweep.slurm.parameters={nodes: 2}"), "a job of a sweep is one process here"),
        (("slurm", "sweep.slurm.parameters={nonsense: 1}"), "Parameter 'nonsense'"),
    ],
)
def test_no_cluster_is_a_mistake(tmp_path: Path, setting: tuple[str, str], told: str) -> None:
    """It is told in words, nothing runs, and no cluster is started."""
    engine, key = setting
    pytest.importorskip("ray" if engine == "ray" else "submitit")

    code, said = run(
        tmp_path, "seed=1,2", f"sweep.engine={engine}", "sweep.slurm.cluster=local", key
    )

    assert code == 2
    assert told in said
    assert not list((tmp_path / "output_dir" / "sweeps").glob("*/sweep.json"))


def _parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
