"""Waiting for work that another process does."""

from __future__ import annotations

import logging
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.disk import locks
from pipeline.errors import StalledError

HOLDER = (
    "import sys, time; from pathlib import Path; from pipeline.disk import locks\n"
    "with locks.turn(Path(sys.argv[1]), what='a.zip', silence_s=5) as moving:\n"
    "    print('held', flush=True)\n"
    "    for _ in range(int(sys.argv[2])):\n"
    "        time.sleep(0.25)\n"
    "        moving.touch()\n"
    "    time.sleep(float(sys.argv[3]))\n"
)


def holding(place: Path, *, moves: int = 0, silent_s: float = 0) -> subprocess.Popen:
    """Another process that is at work, moves so often, and then falls silent for so long."""
    command = [sys.executable, "-c", HOLDER, str(place), str(moves), str(silent_s)]
    holder = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert holder.stdout is not None
    holder.stdout.readline()
    holder.stdout.close()
    return holder


def test_nothing_is_said_where_nobody_works(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The turn comes at once; afterwards only the lock's own file is left."""
    caplog.set_level(logging.INFO, "pipeline")

    with locks.turn(tmp_path / "new" / ".a", what="a", silence_s=1) as moving:
        assert moving.is_file()

    assert caplog.records == []
    assert [path.name for path in (tmp_path / "new").iterdir()] == [".a.lock"]


@pytest.mark.slow
def test_a_holder_that_moves_is_waited_for(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The wait outlasts the limit of silence, says once for whom, and passes movement on."""
    caplog.set_level(logging.INFO, "pipeline")
    holder = holding(tmp_path / ".a", moves=8)
    moved: list[float] = []

    with locks.turn(
        tmp_path / ".a", what="a.zip", silence_s=0.9, on_moved=lambda: moved.append(time.time())
    ):
        holder.wait()

    (told,) = caplog.records
    assert f"a.zip: another process (pid {holder.pid} on " in told.getMessage()
    assert len(moved) > 3


@pytest.mark.slow
def test_a_silent_holder_is_given_up(tmp_path: Path) -> None:
    """The message names the holder and the key that bounds the wait."""
    holder = holding(tmp_path / ".a", silent_s=30)
    message = rf"a\.zip: .*\(pid {holder.pid} on .*cluster\.node_wait_s"

    with (
        pytest.raises(StalledError, match=message),
        locks.turn(tmp_path / ".a", what="a.zip", silence_s=0.5),
    ):
        pass

    holder.kill()
    holder.wait()


@pytest.mark.slow
def test_a_killed_holder_blocks_nobody(tmp_path: Path) -> None:
    """The kernel frees its lock, whatever files it has left."""
    holder = holding(tmp_path / ".a", silent_s=30)
    holder.kill()
    holder.wait()
    assert (tmp_path / ".a.moving").is_file()

    with locks.turn(tmp_path / ".a", what="a.zip", silence_s=0.5) as moving:
        assert moving.is_file()


def test_a_heart_beats_once_a_second_at_most(tmp_path: Path) -> None:
    """Whoever counts every chunk does not touch a file for each."""
    paths = (tmp_path / "a", tmp_path / "b")
    heart = locks.Heart(*paths)
    heart.beat()
    for path in paths:
        path.unlink()

    heart.beat()

    assert not any(path.exists() for path in paths)
