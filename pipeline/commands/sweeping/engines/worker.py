"""What runs on a machine of a cluster: a look at what must be shared, then the job's own process.

A cluster gets this module by value and can run it where it sees nothing of MindRun, so that it can
say so: it needs the standard library alone. What the sweep asks of the job comes as a file beside
its job file, which needs no way to the machine but the storage that all share.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

# No exit code of a job: the words beside it say why it was not started.
NOT_STARTED = 1
NONE: Mapping[str, str] = {}
_POLL_S = 0.2
_SHELL = 128
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Errand:
    """All that a machine needs to know, as plain values and without secrets.

    `turn` is the name of this handing-over: where the asking file bears another, the sweep was
    started again and has handed the job over anew. `paths` are those that code is found by, and
    `shared` what must be there under the same paths.
    """

    turn: str
    python: str
    version: tuple[int, int]
    current_folder: str
    paths: Sequence[str]
    file: str
    log: str
    asking: str
    shared: Sequence[str]


def run(
    errand: Errand, variables: Mapping[str, str], spare: Mapping[str, str] = NONE
) -> tuple[int, str]:
    """The job's process has run to its end here: its exit code, and words where it could not.

    `variables` go before those of this machine, and these before the `spare` ones.
    """
    problem = unshared(errand)
    if problem:
        return NOT_STARTED, problem
    turn, asked = asking_of(errand.asking)
    if turn != errand.turn:
        return NOT_STARTED, "the sweep was started again, and has handed this job over anew"
    if asked:
        return _SHELL + asked[0], ""
    python = errand.python if Path(errand.python).exists() else sys.executable
    environment = {**spare, **os.environ, **variables}
    environment["PYTHONPATH"] = os.pathsep.join(errand.paths)
    with Path(errand.log).open("ab") as log:
        process = subprocess.Popen(
            [python, "-m", "pipeline.child", errand.file],
            cwd=errand.current_folder if Path(errand.current_folder).is_dir() else None,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            # Signals of the cluster reach it once, through this process.
            start_new_session=True,
            preexec_fn=_end_with_worker,
        )
        return _wait(process, errand), ""


def unshared(errand: Errand) -> str:
    """What this machine lacks of what all must share; empty where it has all."""
    host = socket.gethostname()
    missing = [path for path in errand.shared if not Path(path).exists()]
    if missing:
        return (
            f"the machine {host} does not see {', '.join(missing)}; the folder of run.py, "
            "cluster.output_dir and cluster.data_dir must lie on storage that all machines share, "
            "under the same paths"
        )
    folder = Path(errand.log).parent
    if not os.access(folder, os.W_OK):
        return f"the machine {host} cannot write {folder}; give this user the right to"
    here = sys.version_info[:2]
    if not Path(errand.python).exists() and here != errand.version:
        wanted = ".".join(map(str, errand.version))
        return (
            f"the machine {host} has Python {here[0]}.{here[1]} and does not see {errand.python}; "
            f"share that environment, or give the machine Python {wanted} with the same packages"
        )
    return ""


def asking_of(path: str) -> tuple[str, list[int]]:
    """Whose turn it is, and the signals that the sweep wants the job to hear."""
    try:
        turn, *asked = Path(path).read_text(encoding="utf-8").split() or [""]
        return turn, [int(word) for word in asked]
    except (OSError, ValueError):
        return "", []


def _wait(process: subprocess.Popen[bytes], errand: Errand) -> int:
    def pass_on(number: int, frame: FrameType | None) -> None:
        del number, frame
        process.send_signal(signal.SIGTERM)

    # Clusters say so that time is over. Ctrl-C is the sweep's to hear, which asks by the file; a
    # handler that does nothing, unlike SIG_IGN, is not inherited.
    handlers = {signal.SIGTERM: pass_on, signal.SIGUSR2: pass_on, signal.SIGINT: _stay}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    turn, heard = errand.turn, 0
    try:
        while True:
            try:
                return process.wait(timeout=_POLL_S)
            except subprocess.TimeoutExpired:
                now, asked = asking_of(errand.asking)
            if now and now != turn:
                turn, heard = now, 0
            for number in asked[heard:]:
                _send(process, number)
            heard = max(heard, len(asked))
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _send(process: subprocess.Popen[bytes], number: int) -> None:
    if number == signal.SIGKILL:
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)


def _stay(number: int, frame: FrameType | None) -> None:
    """Nothing happens."""


def _end_with_worker() -> None:
    """The job ends gently where this process is killed, which could not tell of it any more."""
    # A cluster's worker may start with signals blocked, and the job would with it.
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
