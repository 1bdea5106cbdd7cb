"""Clusters of this machine: a Ray that is started and ended by itself, submitit's executor."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sweeping.starting import LONGEST_S, wait_until

CORES = 2


@contextlib.contextmanager
def ray() -> Iterator[list[str]]:
    """A Ray cluster is at work here; gives the words that send a sweep's jobs to it."""
    if " " in sys.prefix:
        pytest.skip("Ray does not start from an environment whose path has a blank")
    # Its sockets lie there, and the system bounds the length of their paths.
    folder = Path(tempfile.mkdtemp(prefix="ray"))
    port = _free_port()
    command = [
        *(sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--head"),
        *(f"--num-cpus={CORES}", "--include-dashboard=false", f"--port={port}"),
        *(f"--temp-dir={folder}", "--node-ip-address=127.0.0.1", "--disable-usage-stats"),
    ]
    said = folder / "said.txt"
    with said.open("w") as file:
        # In a session of its own, which is ended as a whole: `ray stop` would end everybody's.
        process = subprocess.Popen(
            command, cwd=folder, stdout=file, stderr=file, start_new_session=True
        )
    try:
        wait_until(lambda: "--block" in said.read_text() or process.poll() is not None, "Ray")
        assert process.poll() is None, said.read_text()
        yield ["sweep.engine=ray", f"sweep.ray.address=127.0.0.1:{port}"]
    finally:
        _end(process)
        shutil.rmtree(folder, ignore_errors=True)


def slurm() -> list[str]:
    """The words that send a sweep's jobs through submitit's executor of this machine."""
    return ["sweep.engine=slurm", "sweep.slurm.cluster=local"]


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=LONGEST_S)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def _free_port() -> int:
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        port: int = opened.getsockname()[1]
        return port
