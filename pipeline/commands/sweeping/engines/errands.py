"""Jobs handed to a cluster: what its machines are told of one, and what is asked of it later."""

from __future__ import annotations

import importlib
import importlib.util
import os
import signal
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline.commands.sweeping.engines import worker
from pipeline.commands.sweeping.engines.protocol import Ending, Order
from pipeline.commands.sweeping.engines.worker import Errand
from pipeline.disk.files import write_atomically
from pipeline.errors import ConfigError, Mistake

KILLED = -9
_WORKER_ENDS_IT_S = 5.0
_GIVEN_UP_S = 15.0
_EXTRAS = {"ray": "ray", "slurm": "submitit"}


def require_package(engine: str) -> None:
    """What the engine needs is installed.

    Raises:
        ConfigError: it is not.
    """
    package = _EXTRAS.get(engine)
    if package is not None and importlib.util.find_spec(package) is None:
        problem = f"{engine!r} needs {package}, which is not installed"
        remedy = f"run: pip install {package}"
        raise ConfigError([Mistake("sweep.engine", problem, "", remedy)])


def by_value(pickle: Any) -> None:
    """A machine that sees nothing of MindRun can run the worker, too, and say what it lacks."""
    pickle.register_pickle_by_value(importlib.import_module(worker.__name__))


class Handed:
    """The sweep's end of one errand."""

    def __init__(self, order: Order) -> None:
        """The asking file is this errand's from now on."""
        self._asking = order.file.with_suffix(".asked")
        self._turn, self._killed_s = uuid.uuid4().hex, 0.0
        write_atomically(self._asking, f"{self._turn}\n")
        paths = dict.fromkeys(str(Path(path).resolve()) for path in sys.path if path)
        needed = (order.file, order.log.parent, *order.shared)
        self.errand = Errand(
            turn=self._turn,
            python=sys.executable,
            version=sys.version_info[:2],
            current_folder=str(Path.cwd()),
            paths=tuple(paths),
            file=str(order.file),
            log=str(order.log),
            asking=str(self._asking),
            shared=tuple(str(_nearest(path)) for path in needed),
        )

    def ask(self, number: int) -> None:
        """The job hears this signal, wherever it runs, now or at its start."""
        # A later start of the sweep may have taken over: its turn is not this one's to speak in.
        if worker.asking_of(str(self._asking))[0] == self._turn:
            with self._asking.open("a", encoding="utf-8") as file:
                file.write(f"{int(number)}\n")

    def kill(self, by_cluster: Callable[[], object]) -> None:
        """Its worker ends it, or else the cluster does so."""
        now_s = time.monotonic()
        if not self._killed_s:
            self.ask(signal.SIGKILL)
            self._killed_s = now_s
        elif now_s - self._killed_s > _WORKER_ENDS_IT_S:
            by_cluster()

    def given_up(self) -> Ending | None:
        """The ending of a job that neither its worker nor the cluster ends; None: not yet."""
        if not self._killed_s or time.monotonic() - self._killed_s < _GIVEN_UP_S:
            return None
        return Ending(KILLED, "the cluster was asked to end it, and does not say that it has")


class Refused:
    """A job that a cluster has not taken; `words` say why."""

    def __init__(self, words: str) -> None:
        self._ending = Ending(worker.NOT_STARTED, words)

    def ending(self) -> Ending:
        """It never began."""
        return self._ending

    def ask_to_end(self, number: int) -> None:
        """Nobody is there to hear it."""

    def kill(self) -> None:
        """Nobody is there."""


def _nearest(path: Path) -> Path:
    """The path, or what there is of it: a job makes the rest."""
    return next((place for place in (path, *path.parents) if os.path.lexists(place)), path)
