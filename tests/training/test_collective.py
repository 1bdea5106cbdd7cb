"""Training on two ranks: real processes, MindSpore's scheduler, and what they leave behind."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import pipeline.datasets.digits
from pipeline.errors import DeviceError
from pipeline.training import checkpoints, cluster

pytestmark = [pytest.mark.mindspore, pytest.mark.slow]

SCRIPT = Path(__file__).with_name("rank_in_child.py")
EPOCHS = 6
LIMIT_S = 240


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped digits, unpacked."""
    folder = tmp_path_factory.mktemp("digits")
    shipped = Path(next(iter(pipeline.datasets.digits.__path__))) / "digits.zip"
    with zipfile.ZipFile(shipped) as archive:
        archive.extractall(folder)
    return folder


def free_port() -> int:
    """A port that nobody listened on a moment ago."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextlib.contextmanager
def two_ranks(
    environment: dict[str, str], folder: Path, *arguments: object
) -> Iterator[list[subprocess.Popen[str]]]:
    """The scheduler and, after it, ranks 0 and 1; none is left at the end."""
    folder.mkdir(parents=True, exist_ok=True)
    shared = {
        **environment,
        "MS_SCHED_HOST": "127.0.0.1",
        "MS_SCHED_PORT": str(free_port()),
        "MS_WORKER_NUM": "2",
        "RANK_SIZE": "2",
    }
    roles = [{"MS_ROLE": "MS_SCHED", "RANK_ID": "0"}] + [
        {"MS_ROLE": "MS_WORKER", "RANK_ID": str(rank), "MS_NODE_ID": str(rank)} for rank in (0, 1)
    ]
    processes = [
        subprocess.Popen(
            [sys.executable, str(SCRIPT), *map(str, arguments)],
            env={**shared, **role},
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for role in roles
    ]
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def train(environment: dict[str, str], digits: Path, folder: Path, epochs: int = EPOCHS) -> None:
    """Both ranks and the scheduler end well, and say nothing on stderr."""
    with two_ranks(environment, folder, digits, folder, epochs) as processes:
        ended = [
            (process.communicate(timeout=LIMIT_S)[1], process.returncode) for process in processes
        ]

    assert ended == [("", 0)] * 3


def report(folder: Path, rank: int) -> dict[str, Any]:
    """What a rank left behind."""
    return dict(json.loads((folder / f"rank-{rank}.json").read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, digits: Path) -> Path:
    """The folder of a two-rank training that nothing happened to."""
    root = Path(__file__).parents[2]
    folder = tmp_path_factory.mktemp("undisturbed")
    environment = {**os.environ, "PYTHONPATH": str(root), "ONEDNN_MAX_CPU_ISA": "AVX2"}
    train(environment, digits, folder)
    return folder


def test_both_ranks_end_with_the_same_state_and_the_first_alone_saves(undisturbed: Path):
    """Weights and accuracy are equal, and rows, files and records are there once."""
    first, second = report(undisturbed, 0), report(undisturbed, 1)
    newest = checkpoints.newest_good(undisturbed / "checkpoints", "net")

    assert first["digest"] == second["digest"]
    assert first["accuracy"] == second["accuracy"]
    assert len(first["saved"]) == 3 * EPOCHS
    assert (second["saved"], second["rows"]) == ([], [])
    assert not (undisturbed / "nowhere").exists()
    assert newest is not None
    assert newest.progress.ranks == 2
    assert list(newest.progress.rows) == first["rows"]


def test_two_ranks_learn_what_one_learns(
    tmp_path: Path, undisturbed: Path, digits: Path, child_environment: dict[str, str]
):
    """Equal batches all together give the same steps, rows of all samples and the same accuracy."""
    alone = subprocess.run(
        [sys.executable, str(SCRIPT), str(digits), str(tmp_path), str(EPOCHS)],
        env=child_environment,
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    one, two = report(tmp_path, 0), report(undisturbed, 0)

    assert (alone.returncode, alone.stderr) == (0, b"")
    assert two["samples"] == one["samples"] == EPOCHS * 1408
    assert [row["step"] for row in two["rows"]] == [row["step"] for row in one["rows"]]
    for name in ("loss", "accuracy"):
        expected = [row[name] for row in one["rows"]]
        assert [row[name] for row in two["rows"]] == pytest.approx(expected, abs=0.01)
    assert two["accuracy"] == pytest.approx(one["accuracy"], abs=0.01)
    assert two["accuracy"] > 0.9


def test_killed_and_run_again_is_bit_identical(
    tmp_path: Path, undisturbed: Path, digits: Path, child_environment: dict[str, str]
):
    """Kill -9 of everything, then the same command: the same bits as if nothing had happened."""
    with two_ranks(child_environment, tmp_path, digits, tmp_path, 10_000) as processes:
        wait_for(tmp_path / "checkpoints" / "net-3.json")
        for process in processes:
            process.kill()
    for path in (tmp_path / "checkpoints").glob("net-*"):
        # What came after the third epoch before the kill is lost as well.
        if not path.stem.endswith(("-1", "-2", "-3")):
            path.unlink()

    train(child_environment, digits, tmp_path)

    assert report(tmp_path, 0)["digest"] == report(undisturbed, 0)["digest"]
    assert [row["epoch"] for row in report(tmp_path, 0)["rows"]] == [4, 5, 6]


def test_all_ranks_stop_together_and_go_on(
    tmp_path: Path, undisturbed: Path, digits: Path, child_environment: dict[str, str]
):
    """One rank's reason is all ranks'; the state is saved before any of them ends."""
    # The second time that they ask each other is within the first epoch, however fast they are.
    with two_ranks(child_environment, tmp_path, digits, tmp_path, EPOCHS, -1, 2) as processes:
        said = [process.communicate(timeout=LIMIT_S)[1] for process in processes[1:]]
        codes = [process.returncode for process in processes[1:]]
    found = checkpoints.newest(tmp_path / "checkpoints", "net")

    train(child_environment, digits, tmp_path)

    assert all("asked to stop after step" in words for words in said)
    assert codes == [128 + signal.SIGTERM] * 2
    assert found is not None
    assert found.progress.partial is not None
    assert report(tmp_path, 0)["digest"] == report(undisturbed, 0)["digest"]
    assert [row["loss"] for row in report(tmp_path, 0)["rows"]] == [
        row["loss"] for row in report(undisturbed, 0)["rows"][found.progress.epoch :]
    ]


def test_a_rank_that_fails_ends_with_its_own_error(
    tmp_path: Path, digits: Path, child_environment: dict[str, str]
):
    """It waits for nobody; the other, stuck in a step, and the scheduler obey a SIGTERM."""
    with two_ranks(child_environment, tmp_path, digits, tmp_path, EPOCHS, 1) as processes:
        scheduler, waiting, failing = processes
        _, said = failing.communicate(timeout=LIMIT_S)
        for process in (scheduler, waiting):
            process.terminate()

        assert (said, failing.returncode) == ("rank 1 fails by order of its test\n", 1)
        assert scheduler.wait(timeout=LIMIT_S) == -signal.SIGTERM
        assert waiting.wait(timeout=LIMIT_S) == -signal.SIGTERM


def test_msrun_starts_them_too(tmp_path: Path, digits: Path, child_environment: dict[str, str]):
    """MindSpore's own launcher sees all ranks end well."""
    msrun = [str(Path(sys.executable).with_name("msrun")), "--worker_num=2", "--local_worker_num=2"]
    options = [f"--master_port={free_port()}", "--join=True", f"--log_dir={tmp_path / 'logs'}"]
    search = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])

    ended = subprocess.run(
        [*msrun, *options, str(SCRIPT), str(digits), str(tmp_path), "1"],
        env={**child_environment, "PATH": search},
        cwd=tmp_path,
        capture_output=True,
        check=False,
        timeout=LIMIT_S,
    )

    assert ended.returncode == 0
    assert report(tmp_path, 0)["digest"] == report(tmp_path, 1)["digest"]


def test_a_missing_scheduler_is_told_with_its_address(monkeypatch: pytest.MonkeyPatch):
    """The error names the variables that all must agree on, and comes in time."""
    # A command line that is called in this process later would take leave, and end it.
    monkeypatch.setattr(cluster, "_has_begun", threading.Event())
    port = free_port()
    for name, value in (
        ("MS_ROLE", "MS_WORKER"),
        ("MS_SCHED_HOST", "127.0.0.1"),
        ("MS_SCHED_PORT", str(port)),
        ("MS_TOPO_TIMEOUT", "0"),
        ("HCCL_CONNECT_TIMEOUT", "0"),
    ):
        monkeypatch.setenv(name, value)

    with pytest.raises(DeviceError, match=f"rank 1 of 2.*refused.*MS_SCHED_PORT={port}"):
        cluster.join(1, 2)


def wait_for(path: Path) -> None:
    """The path is there, in time."""
    deadline = time.monotonic() + LIMIT_S
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} never came"
        time.sleep(0.002)
