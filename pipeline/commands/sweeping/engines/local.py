"""Jobs as processes of this machine, the cores divided among as many as run at a time."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Sequence

from pipeline import child
from pipeline.commands.sweeping.engines.protocol import Ending, Order
from pipeline.running import runfolder


class Process:
    """One job's process."""

    def __init__(self, process: subprocess.Popen[bytes], order: Order) -> None:
        self._process, self._order = process, order
        self._is_asked = False

    def ending(self) -> Ending | None:
        """How it ended; None while it has not, nor whoever runs its run and was asked to end."""
        code = self._process.poll()
        if code is None or (self._is_asked and self._orphan() is not None):
            return None
        return Ending(code)

    def ask_to_end(self, number: int) -> None:
        """It hears this signal, and so does whoever runs its run already."""
        self._is_asked = True
        self._process.send_signal(number)
        self._tell_orphan(number)

    def kill(self) -> None:
        """It and what shares its process group end now."""
        # A group of this number may be another one once the process has been waited for.
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.kill()
        self._tell_orphan(signal.SIGKILL)

    def _orphan(self) -> int | None:
        """The process that runs its run already, if one does."""
        pid = runfolder.owner_here(self._order.folder) if self._order.is_adopted else None
        return None if pid == self._process.pid else pid

    def _tell_orphan(self, number: int) -> None:
        pid = self._orphan()
        if pid is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)


class Local:
    """This machine."""

    def __init__(self, slots: int) -> None:
        """So many jobs run at a time."""
        self._shares = shares(_cores(), slots)

    def start(self, order: Order, slot: int) -> Process:
        """The job's process runs, in a session of its own: Ctrl-C reaches it through the sweep."""
        share = self._shares[slot] if len(self._shares) > 1 else ()
        variables = {
            **os.environ,
            **order.variables,
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            **({child.CORES: ",".join(map(str, share))} if share else {}),
        }
        with order.log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "pipeline.child", str(order.file)],
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return Process(process, order)

    def close(self) -> None:
        """There is nothing to give back."""


def shares(cores: Sequence[int], slots: int) -> list[Sequence[int]]:
    """The cores of each slot, evenly; where there are more slots than cores, some share one.

    >>> shares([0, 1, 2, 3, 4], 2), shares([0, 1], 3), shares([], 2)
    ([[0, 1], [2, 3, 4]], [[0], [1], [0]], [(), ()])
    """
    if not cores:
        return [()] * slots
    if slots > len(cores):
        return [[cores[slot % len(cores)]] for slot in range(slots)]
    edges = [slot * len(cores) // slots for slot in range(slots + 1)]
    return [cores[start:end] for start, end in zip(edges, edges[1:])]


def _cores() -> list[int]:
    """The cores that this process may use; empty where the system does not tell."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
