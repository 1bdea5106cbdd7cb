"""Jobs through submitit: on a Slurm cluster, or by its local executor on this machine."""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pipeline.commands.sweeping.engines import errands, worker
from pipeline.commands.sweeping.engines.protocol import Ending, Order, Started
from pipeline.errors import ConfigError, Mistake
from pipeline.job.sweep import Slurm as Settings
from pipeline.messages.masking import mask

_WAITING = ("PENDING", "READY", "REQUEUED")
# Storage that machines share may show a file late.
_RESULT_S = 15.0
_SHELL = 128


class Submitted:
    """One job that was handed over."""

    def __init__(self, job: Any, handed: errands.Handed, *, is_here: bool) -> None:
        self._job, self._handed, self._is_here = job, handed, is_here
        self._taken_back, self._gone_s = 0, 0.0

    def ending(self) -> Ending | None:
        """How it ended, as its own process told, or as Slurm tells."""
        if not self._job.done():
            return self._handed.given_up()
        if self._job.paths.result_pickle.exists():
            failure = self._job.exception()
            if failure is None:
                code, words = self._job.result()
                return Ending(int(code), str(words))
            return self._broken(str(failure))
        if self._taken_back:
            return Ending(_SHELL + self._taken_back)
        self._gone_s = self._gone_s or time.monotonic()
        if not self._is_here and time.monotonic() - self._gone_s < _RESULT_S:
            return None
        return self._broken(self._job.stderr() or "")

    def ask_to_end(self, number: int) -> None:
        """It hears this signal, wherever it runs; where it only waits, it is taken back."""
        self._handed.ask(number)
        if str(self._job.state).upper() in _WAITING:
            self._taken_back = number
            self._job.cancel(check=False)

    def kill(self) -> None:
        """Its worker ends it, or else Slurm."""
        self._handed.kill(lambda: self._job.cancel(check=False))

    def _broken(self, said: str) -> Ending:
        lines = [line.strip() for line in said.splitlines() if line.strip()]
        last = f": {mask(lines[-1])}" if lines else ""
        words = f"its worker has ended without a word (job {self._job.job_id}, {self._job.state})"
        return Ending(errands.KILLED, f"submitit: {words}{last}")


class Slurm:
    """A Slurm cluster."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        """Submitit keeps its files in `folder`, which all machines must see.

        Raises:
            ConfigError: no job can be handed over from here.
        """
        submitit = importlib.import_module("submitit")
        errands.by_value(importlib.import_module("cloudpickle"))
        self._is_here = settings.cluster == "local"
        try:
            self._executor = submitit.AutoExecutor(folder=folder, cluster=settings.cluster)
            self._executor.update_parameters(**_parameters(settings))
        except (RuntimeError, ValueError, TypeError, NameError, LookupError, OSError) as error:
            remedy = (
                "expected a machine that can submit jobs (sbatch on PATH) and parameters that "
                "submitit knows; sweep.slurm.cluster=local tries it out on this machine"
            )
            first = mask(str(error).splitlines()[0])
            raise ConfigError([Mistake("sweep.slurm", first, "", remedy)]) from error

    def start(self, order: Order, slot: int) -> Started:
        """The job stands in Slurm's queue, or has ended where Slurm does not take it."""
        del slot
        handed = errands.Handed(order)
        # Its file would hold what is handed over: secrets go by the environment, as Slurm does.
        with _variables(order.variables), _without_signals():
            try:
                job = self._executor.submit(worker.run, handed.errand, {})
            except (RuntimeError, ValueError, OSError) as error:
                return errands.Refused(f"Slurm has not taken it: {mask(str(error))}")
        return Submitted(job, handed, is_here=self._is_here)

    def close(self) -> None:
        """There is nothing to give back."""


def _parameters(settings: Settings) -> dict[str, Any]:
    for name in ("nodes", "tasks_per_node", "slurm_ntasks_per_node"):
        if settings.parameters.get(name, 1) != 1:
            problem = f"{settings.parameters[name]!r}: a job of a sweep is one process here"
            raise ConfigError(
                [Mistake(f"sweep.slurm.parameters.{name}", problem, "", "leave it out")]
            )
    partition = {"slurm_partition": settings.partition} if settings.partition else {}
    return {
        "timeout_min": settings.timeout_min,
        "cpus_per_task": settings.cpus_per_task,
        **partition,
        **settings.parameters,
    }


@contextlib.contextmanager
def _variables(added: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in added}
    os.environ.update(added)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextlib.contextmanager
def _without_signals() -> Iterator[None]:
    """What is started here never hears Ctrl-C, which this process does a moment later."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
