"""One job as one process or many: whether to start ranks, to be one, or to be their scheduler."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from pipeline import following, preparation, workers, world
from pipeline.errors import ConfigError, Mistake
from pipeline.job import Job
from pipeline.world import World

_KEY = "device.workers"


def run(job: Job, *, command: str, argv: Sequence[str], as_first: Callable[[World], int]) -> int:
    """The job is run by as many processes as it should be; gives its exit code.

    `as_first` runs it in this process, as the first rank or alone.

    Raises:
        ConfigError: the launcher and `device.workers` disagree about the number of processes.
    """
    names, variables = job.cluster.world.model_dump(), os.environ
    here = world.read(names, variables)
    if not world.is_inside(names, variables):
        size = job.device.workers or _cards(job)
        if size > 1:
            start = [sys.executable, sys.argv[0], *argv]
            folder = preparation.prepare(job, command).folder
            tell = partial(following.tell_if_silent, folder)
            return workers.run(start, size=size, environment=variables, tell=tell)
    elif job.device.workers not in (None, here.size):
        problem = f"{job.device.workers}: the launcher has started {here.size} processes already"
        raise ConfigError([Mistake(_KEY, problem, "", f"leave {_KEY} out, or set it to null")])
    code = as_first(here) if here.is_first else following.follow(job, command=command, here=here)
    if here.has_company and "mindspore" in sys.modules:
        from pipeline.training import cluster

        cluster.leave(code)
    return code


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
