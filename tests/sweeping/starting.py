"""Sweeps as a person starts them: run.py in a process, everything below one folder."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.jobs import ROOT
from tests.sweeping.acting import FOLDER

LONGEST_S = 120.0


def command(folder: Path, *words: str) -> list[str]:
    """The command of a sweep over the digits that only fetches, unpacks, acts and exports."""
    places = (f"cluster.{name}={folder}/{name}" for name in ("data_dir", "output_dir"))
    return [
        *(sys.executable, str(ROOT / "run.py"), "-m"),
        "mode.stages=[fetch,extract,tests.sweeping.acting.act,export]",
        *places,
        f"cluster.export_url={folder}/exports",
        *words,
    ]


def start(folder: Path, *words: str, said: Path | None = None) -> subprocess.Popen[str]:
    """The sweep, at work; what it says goes to `said`, or can be read from it."""
    (folder / "acts").mkdir(exist_ok=True)
    with contextlib.ExitStack() as opened:
        file = opened.enter_context(said.open("a", encoding="utf-8")) if said else None
        return subprocess.Popen(
            command(folder, *words),
            cwd=folder,
            env={**os.environ, FOLDER: str(folder / "acts")},
            stdout=file or subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


def run(folder: Path, *words: str) -> tuple[int, str]:
    """The sweep's exit code and all that it said."""
    process = start(folder, *words)
    said, _ = process.communicate(timeout=LONGEST_S)
    return process.returncode, said


def tell(folder: Path, seed: int, what: str) -> None:
    """What the job of this seed does."""
    (folder / "acts").mkdir(exist_ok=True)
    (folder / "acts" / f"{seed}").write_text(what, encoding="utf-8")


def begun(folder: Path, seed: int) -> list[int]:
    """The processes that have begun the job of this seed, in their order."""
    path = folder / "acts" / f"begun-{seed}"
    return [int(line) for line in path.read_text().split()] if path.is_file() else []


def record(folder: Path) -> dict[str, Any]:
    """The only sweep's record."""
    path = next((folder / "output_dir" / "sweeps").glob("*/sweep.json"))
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def statuses(folder: Path) -> dict[str, str]:
    """How each job stands, by its seed."""
    return {job["overrides"]["seed"]: job["status"] for job in record(folder)["jobs"]}


def events(folder: Path, name: str) -> list[dict[str, Any]]:
    """The events of this name in all runs."""
    lines = [
        json.loads(line)
        for path in sorted((folder / "output_dir").glob("*/events.jsonl"))
        for line in path.read_text(encoding="utf-8").splitlines()
    ]
    return [line for line in lines if line["event"] == name]


def leave_orphan(folder: Path, *words: str) -> int:
    """The process of the first job, whose sweep was killed."""
    sweep = start(folder, *words)
    wait_until(lambda: bool(begun(folder, 1)), "the first job")
    os.kill(sweep.pid, signal.SIGKILL)
    with sweep:
        assert sweep.wait(timeout=LONGEST_S) == -signal.SIGKILL
    return begun(folder, 1)[0]


def wait_until(is_so: Callable[[], bool], what: str) -> None:
    """It is so; a machine that is busy gets its time."""
    until_s = time.monotonic() + LONGEST_S
    while not is_so():
        assert time.monotonic() < until_s, f"never came: {what}"
        time.sleep(0.05)


def is_alive(pid: int) -> bool:
    """Whether a process of this number is at work; one that waits for its parent is not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
