"""Jobs on a Ray cluster that is there already: one task for each, in a worker of its own."""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import socket
from pathlib import Path
from typing import Any

from pipeline.commands.sweeping.engines import errands, worker
from pipeline.commands.sweeping.engines.protocol import Ending, Order, Started
from pipeline.errors import ConfigError, Mistake
from pipeline.job.sweep import Ray as Settings
from pipeline.messages.masking import mask

_AUTO = "auto"
_ANSWER_S = 5.0
_SHELL = 128


class Task:
    """One job that was handed over."""

    def __init__(self, ray: Any, reference: Any, handed: errands.Handed) -> None:
        self._ray, self._reference, self._handed = ray, reference, handed
        self._asked = 0

    def ending(self) -> Ending | None:
        """How it ended, as its own process told, or as Ray tells."""
        try:
            ready, _ = self._ray.wait([self._reference], timeout=0)
            if not ready:
                return self._handed.given_up()
            code, words = self._ray.get(self._reference)
        except self._ray.exceptions.TaskCancelledError:
            return Ending(_SHELL + self._asked if self._asked else errands.KILLED)
        except (self._ray.exceptions.RayError, ConnectionError) as error:
            first = (str(error).strip().splitlines() or [""])[0]
            return Ending(errands.KILLED, f"Ray: {type(error).__name__}: {mask(first)}")
        return Ending(int(code), str(words))

    def ask_to_end(self, number: int) -> None:
        """It hears this signal, wherever it runs; where it only waits, it is taken back."""
        self._handed.ask(number)
        if not self._asked:
            # One that runs does not heed this: it has what the file says to end by.
            self._ray.cancel(self._reference, force=False)
        self._asked = self._asked or number

    def kill(self) -> None:
        """Its worker ends it, or else Ray its worker."""
        self._handed.kill(lambda: self._ray.cancel(self._reference, force=True))


class Ray:
    """A Ray cluster, which this process joins and leaves."""

    def __init__(self, settings: Settings) -> None:
        """The cluster answers.

        Raises:
            ConfigError: it does not.
        """
        address = settings.address if settings.address != _AUTO else _here()
        _require_answer(address)
        self._ray = importlib.import_module("ray")
        self._join(address)
        errands.by_value(importlib.import_module("ray.cloudpickle"))
        options = {"num_cpus": settings.num_cpus, "resources": dict(settings.resources)}
        # A worker that is used again would keep what a job has left in it.
        self._task = self._ray.remote(max_calls=1, max_retries=0, **options)(worker.run)

    def start(self, order: Order, slot: int) -> Started:
        """The job stands in Ray's queue, or has ended where there is no Ray any more."""
        del slot
        handed = errands.Handed(order)
        # Not as its runtime environment, which Ray shows to everybody.
        given = (handed.errand, dict(order.variables), dict(os.environ))
        try:
            reference = self._task.remote(*given)
        except (self._ray.exceptions.RayError, ConnectionError) as error:
            return errands.Refused(f"Ray has not taken it: {mask(str(error))}")
        return Task(self._ray, reference, handed)

    def close(self) -> None:
        """This process has left the cluster, which goes on."""
        self._ray.shutdown()

    def _join(self, address: str) -> None:
        before = signal.getsignal(signal.SIGTERM)
        try:
            self._ray.init(address=address, log_to_driver=False, logging_level="ERROR")
        except (ConnectionError, RuntimeError, ValueError, OSError, SystemExit) as error:
            raise _no_cluster(address, str(error)) from error
        finally:
            # Ray's own handler would end this process and leave its jobs.
            signal.signal(signal.SIGTERM, before)


def _here() -> str:
    """Where the cluster of this place is, as Ray would look for it; auto: Ray is to look on."""
    folder = Path(os.environ.get("RAY_TMPDIR") or "/tmp")
    with contextlib.suppress(OSError, ValueError):
        left = (folder / "ray" / "ray_current_cluster").read_text(encoding="utf-8").strip()
        return os.environ.get("RAY_ADDRESS") or left or _AUTO
    return os.environ.get("RAY_ADDRESS") or _AUTO


def _require_answer(address: str) -> None:
    """Somebody listens there; Ray itself would wait for two minutes, and end this process."""
    if address == _AUTO:
        return
    host, _, port = address.rpartition(":")
    if not host or "/" in host or not port.isdigit():
        problem = f"{address!r} is no address of a Ray cluster"
        remedy = "expected auto or HOST:PORT, such as 192.168.1.10:6379"
        raise ConfigError([Mistake("sweep.ray.address", problem, "", remedy)])
    try:
        socket.create_connection((host, int(port)), timeout=_ANSWER_S).close()
    except (OSError, OverflowError) as error:
        raise _no_cluster(address, str(error)) from error


def _no_cluster(address: str, cause: str) -> ConfigError:
    problem = f"no Ray cluster answers at {address}: {mask(cause.strip())}"
    remedy = "start one with `ray start --head`, or name another: sweep.ray.address=HOST:PORT"
    return ConfigError([Mistake("sweep.ray.address", problem, "", remedy)])
