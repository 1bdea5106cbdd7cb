"""A process of a sweep that stands for a run which somebody else has at work."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from pipeline.commands.sweeping.engines.local import Process
from pipeline.commands.sweeping.engines.protocol import Ending, Order
from tests.jobs import ROOT

# Owns the folder whatever it is asked, until nobody holds its input any more.
_OWNER = """
import signal, sys
from pathlib import Path
from pipeline.running import runfolder
signal.signal(signal.SIGTERM, signal.SIG_IGN)
with runfolder.owned(Path(sys.argv[1])):
    print("owned", flush=True)
    sys.stdin.read()
"""


def _owner(folder: Path) -> subprocess.Popen[bytes]:
    """A process that owns the folder by now."""
    process = subprocess.Popen(
        [sys.executable, "-c", _OWNER, str(folder)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"owned\n"
    return process


def test_a_job_has_ended_when_its_orphan_has(tmp_path: Path) -> None:
    """Asked to end, it is at work until whoever runs the run has saved and ended, too."""
    folder = tmp_path / "run"
    owner = _owner(folder)
    waiting = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    order = Order("run", folder, tmp_path / "job.json", tmp_path / "job.log", is_adopted=True)
    process = Process(waiting, order)
    with owner, waiting:
        process.ask_to_end(signal.SIGTERM)
        waiting.wait()
        before = process.ending()
        owner.communicate()
        after = process.ending()

    assert before is None
    assert after == Ending(-signal.SIGTERM)


def test_an_orphan_that_does_not_end_is_killed(tmp_path: Path) -> None:
    """Also where the process that waited for it has ended by then."""
    folder = tmp_path / "run"
    owner = _owner(folder)
    waiting = subprocess.Popen([sys.executable, "-c", "pass"])
    order = Order("run", folder, tmp_path / "job.json", tmp_path / "job.log", is_adopted=True)
    with owner, waiting:
        waiting.wait()

        Process(waiting, order).kill()

        assert owner.wait() == -signal.SIGKILL
