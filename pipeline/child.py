"""One job from a job file: python -m pipeline.child FILE. Hydra is not needed, nor imported."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from pipeline import errors, manifest
from pipeline.disk import clock
from pipeline.errors import RunBusyError
from pipeline.messages import console
from pipeline.running import preparation
from pipeline.starting import assignment, process, single
from pipeline.starting.assignment import Assignment

# The cores that this process may use, by their numbers.
CORES = "MINDRUN_CORES"
_POLL_S = 0.5


def main(file: Path) -> int:
    """Runs the job; where another process runs it already, that one's verdict is this one's."""
    _keep_to_cores(os.environ.get(CORES, ""))
    return process.run(lambda: _run(file))


def _run(file: Path) -> int:
    assigned = assignment.read(file, os.environ)
    start = [sys.executable, "-m", "pipeline.child", str(file)]
    began, is_told = clock.now_iso(), False
    while True:
        try:
            return single.run(assigned, start=start)
        except RunBusyError as error:
            if not is_told:
                console.say(f"{error}; this one waits", "yellow", to_errors=True)
                is_told = True
        time.sleep(_POLL_S)
        if _has_failed_since(assigned, began):
            console.say("that process has failed; its record says why", "red", to_errors=True)
            return errors.FAILED


def _has_failed_since(assigned: Assignment, began: str) -> bool:
    """Whether the process that ran the job has ended with a failure; a killed one has not."""
    folder = preparation.prepare(assigned.job, assigned.command).folder
    found = manifest.read(folder)
    return found is not None and found.status == "failed" and (found.finished or "") >= began


def _keep_to_cores(listed: str) -> None:
    if listed and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {int(number) for number in listed.split(",")})


def _file_named(words: Sequence[str]) -> Path:
    if len(words) != 1:
        sys.exit("usage: python -m pipeline.child FILE; run.py -m writes such files")
    return Path(words[0])


if __name__ == "__main__":
    sys.exit(main(_file_named(sys.argv[1:])))
