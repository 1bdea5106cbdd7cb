"""Training that is killed at any moment ends with the bits of one that was not.

MINDRUN_KILLS says how many times it is killed in each test; the default is small.
"""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.training import checkpoints

pytestmark = [pytest.mark.mindspore, pytest.mark.slow]

EPOCHS = 12
KILLS = int(os.environ.get("MINDRUN_KILLS", "3"))
LIMIT_S = 300


def start(folder: Path, environment: dict[str, str], *kind: str) -> subprocess.Popen[bytes]:
    """Trains in a process of its own."""
    script = Path(__file__).with_name("train_in_child.py")
    working_folder = folder / "cwd"
    working_folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, str(script), str(folder), str(EPOCHS), *kind]
    return subprocess.Popen(command, env=environment, cwd=working_folder)


def wait_for_change(folder: Path, child: subprocess.Popen[bytes]) -> None:
    """The child has saved something, or has ended."""
    before, deadline = names(folder), time.monotonic() + LIMIT_S
    while names(folder) == before and child.poll() is None:
        assert time.monotonic() < deadline, f"nothing new ever came to {folder}"
        time.sleep(0.001)


def names(folder: Path) -> list[str]:
    """What lies among the checkpoints, unfinished files included."""
    found = folder / "checkpoints"
    return sorted(path.name for path in found.iterdir()) if found.is_dir() else []


def sha256_of_state(folder: Path) -> str:
    """The SHA-256 over what the last checkpoint holds."""
    from pipeline.training import parameters

    path = folder / "checkpoints" / f"net-{EPOCHS}.ckpt"
    state = sorted(parameters.read(path).items())
    return hashlib.sha256(b"".join(p.asnumpy().tobytes() for _, p in state)).hexdigest()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a training that nothing happened to."""
    folder = tmp_path_factory.mktemp("undisturbed")
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root), "ONEDNN_MAX_CPU_ISA": "AVX2"}
    assert start(folder, environment).wait(timeout=LIMIT_S) == 0
    return folder


@pytest.mark.parametrize("kind", ["held", "stream"])
@pytest.mark.usefixtures("make_session")
def test_killed_and_run_again_is_bit_identical(
    tmp_path: Path, undisturbed: Path, child_environment: dict[str, str], kind: str
):
    """Kill -9 while training or saving, then the same command: the same bits, nothing left over."""
    moments = random.Random(1)
    kills = 0
    while kills < KILLS:
        child = start(tmp_path, child_environment, kind)
        wait_for_change(tmp_path, child)
        time.sleep(moments.uniform(0, 0.3))
        child.kill()
        kills += 1
        if child.wait(timeout=LIMIT_S) == 0:
            # It was faster than its kill; the next is of a training of its own.
            assert sha256_of_state(tmp_path) == sha256_of_state(undisturbed)
            for path in (tmp_path / "checkpoints").iterdir():
                path.unlink()
    assert start(tmp_path, child_environment, kind).wait(timeout=LIMIT_S) == 0

    assert sha256_of_state(tmp_path) == sha256_of_state(undisturbed)
    assert names(tmp_path) == names(undisturbed)
    assert not list((tmp_path / "cwd").iterdir())
    rows = [checkpoints.rows(f / "checkpoints", "net") for f in (tmp_path, undisturbed)]
    columns = ("epoch", "step", "loss", "accuracy")
    assert [[row[n] for n in columns] for row in rows[0]] == [
        [row[n] for n in columns] for row in rows[1]
    ]


@pytest.mark.usefixtures("make_session")
def test_an_interrupt_ends_it_soon_with_its_state(
    tmp_path: Path, undisturbed: Path, child_environment: dict[str, str]
):
    """Ctrl-C leaves soon, with a state from within the epoch."""
    child = start(tmp_path, child_environment)
    wait_for_change(tmp_path, child)
    started = time.monotonic()
    os.kill(child.pid, signal.SIGINT)

    assert child.wait(timeout=LIMIT_S) == 130
    assert time.monotonic() - started < 30
    found = checkpoints.newest(tmp_path / "checkpoints", "net")
    assert found is not None
    assert found.progress.partial is not None
    assert start(tmp_path, child_environment).wait(timeout=LIMIT_S) == 0
    assert sha256_of_state(tmp_path) == sha256_of_state(undisturbed)
