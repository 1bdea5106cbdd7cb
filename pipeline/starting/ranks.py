"""One job as one process or many: whether to start ranks, to be one, or to be their scheduler."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType

from pipeline import errors
from pipeline.errors import ConfigError, Mistake
from pipeline.job.job import Job
from pipeline.messages import console
from pipeline.messages.masking import mask
from pipeline.processes import workers, world
from pipeline.processes.world import ALONE, World
from pipeline.running import completion, following, preparation, runfolder, steps
from pipeline.stage import find_all

_KEY = "device.workers"
_PARENT_POLL_S = 0.5


def run(job: Job, *, command: str, start: Sequence[str], as_first: Callable[[World], int]) -> int:
    """The job is run by as many processes as it should be; gives its exit code.

    `as_first` runs it in this process, as the first rank or alone; `start` is the whole command
    of a further one.

    Raises:
        ConfigError: the launcher and `device.workers` disagree about the number of processes.
    """
    names, variables = job.cluster.world.model_dump(), os.environ
    here = world.read(names, variables)
    if not world.is_inside(names, variables):
        size = job.device.workers or _cards(job)
        if size > 1:
            return _launch(job, command, size=size, start=start, as_first=as_first)
    elif job.device.workers not in (None, here.size):
        problem = f"{job.device.workers}: the launcher has started {here.size} processes already"
        raise ConfigError([Mistake(_KEY, problem, "", f"leave {_KEY} out, or set it to null")])
    _end_with_launcher(variables)
    return as_first(here) if here.is_first else following.follow(job, command=command, here=here)


def _launch(
    job: Job,
    command: str,
    *,
    size: int,
    start: Sequence[str],
    as_first: Callable[[World], int],
) -> int:
    """Starts the ranks, unless the run is complete: then one process tells it sooner."""
    context = preparation.prepare(job, command)
    with runfolder.owned(context.folder, by_launcher=True):
        if context.previous and context.previous.status == "complete":
            stages, _ = find_all(job.mode.stages)
            steps.ask(stages, context)
            if completion.is_complete(context, steps.foresee(stages, context)):
                return as_first(ALONE)
        tell = partial(following.tell_if_silent, context.folder, since_s=time.time())
        return workers.run(start, size=size, environment=os.environ, tell=tell)


class Leaving:
    """However a process ends that has joined other ranks, taking leave is the last it does."""

    def __init__(self) -> None:
        self.exit_code = errors.FAILED

    def __enter__(self) -> Leaving:
        """Whatever the process does comes now."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Ends the process where it has joined; an error that nobody foresaw is shown before."""
        cluster = sys.modules.get("pipeline.training.cluster")
        if cluster is None or not cluster.has_begun():
            return
        if kind is not None and error is not None:
            sys.excepthook(kind, error, trace)
        cluster.leave(errors.FAILED if error is not None else self.exit_code)


def show_masked(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """An error that nobody foresaw, as Python shows it, but for credentials."""
    text = "".join(traceback.format_exception(kind, error, trace))
    console.say(mask(text).rstrip(), to_errors=True)


def _end_with_launcher(variables: Mapping[str, str]) -> None:
    """A rank that run.py started ends when run.py is gone, also when that was killed."""
    launcher = variables.get(workers.LAUNCHER, "")
    if not launcher.isdecimal():
        return

    def watch() -> None:
        if hasattr(signal, "pthread_sigmask"):
            # A Ctrl-C that this thread took would reach MindSpore's handler (training/interrupts).
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        while os.getppid() == int(launcher):
            time.sleep(_PARENT_POLL_S)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="watches the launcher", daemon=True).start()


def schedule_if_asked(variables: Mapping[str, str]) -> bool:
    """Whether this process was MindSpore's scheduler, which does no work of the pipeline."""
    if not world.is_scheduler(variables):
        return False
    from pipeline.training import cluster

    cluster.schedule()
    return True


def _cards(job: Job, devices: Path = Path("/dev")) -> int:
    """How many Ascend cards this process may use, where the job runs on Ascend."""
    if job.device.target != "Ascend":
        return 1
    visible = os.environ.get("ASCEND_RT_VISIBLE_DEVICES", "")
    if visible:
        return len(visible.split(","))
    return max(1, len(list(devices.glob("davinci[0-9]*"))))
