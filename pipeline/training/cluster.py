"""Joining and leaving the ranks of one training; what they tell each other is in `collective`.

Tried with MindSpore's dynamic cluster on CPU. HCCL on Ascend and NCCL on GPU follow MindSpore's
documentation and were not run by us.
"""

from __future__ import annotations

import atexit
import importlib
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from pipeline.errors import DeviceError
from pipeline.training import device, interrupts

log = logging.getLogger(__name__)

# How long MindSpore waits for all ranks to come, by the dynamic cluster and by HCCL.
_TIMEOUT_VARIABLES = ("MS_TOPO_TIMEOUT", "HCCL_CONNECT_TIMEOUT")
_SCHEDULER_VARIABLES = ("MS_SCHED_HOST", "MS_SCHED_PORT", "MS_WORKER_NUM")
_RANK_TABLE_VARIABLES = ("RANK_TABLE_FILE", "MINDSPORE_HCCL_CONFIG_PATH")
_PAUSE_S = 0.1

# Set in a process that has begun to join others; it can end in one way only.
_has_begun = threading.Event()


@interrupts.heard()
def join(rank: int, size: int, *, timeout_s: int = 1800) -> None:
    """All ranks are there and can hear each other; `device.prepare` was called before.

    Once the scheduler is there, MindSpore holds Python's lock: no other thread and no signal
    handler of Python runs until all ranks have come (1 to 8 s if they start together), or
    `timeout_s` is over, which the variables MS_TOPO_TIMEOUT and HCCL_CONNECT_TIMEOUT overrule.

    Raises:
        DeviceError: a rank or the scheduler is missing, or MindSpore counts the ranks otherwise.
    """
    started = time.perf_counter()
    _has_begun.set()
    for name in _TIMEOUT_VARIABLES:
        os.environ.setdefault(name, str(timeout_s))
    communication = importlib.import_module("mindspore.communication")
    try:
        _wait_for_scheduler(os.environ)
        communication.init()
        found = communication.get_rank(), communication.get_group_size()
    except (RuntimeError, ValueError, TypeError, OSError) as error:
        raise DeviceError(
            f"rank {rank} of {size} could not join the others: {device.first_sentence(error)} "
            f"Expected {size} ranks that agree on {_meeting_point(os.environ)}. "
            f"Look at these variables, and at the logs of the other ranks."
        ) from error
    if found != (rank, size):
        raise DeviceError(
            f"MindSpore calls this process rank {found[0]} of {found[1]}; expected rank {rank} of "
            f"{size}. Give each process its own RANK_ID and the same number as MS_NODE_ID, and the "
            f"same RANK_SIZE."
        )
    log.info("joined %d ranks as rank %d in %.1f s", size, rank, time.perf_counter() - started)


def meet(rank: int, size: int, *, has_work: bool) -> bool:
    """Joins the ranks; whether the first one `has_work`, which it alone can tell.

    Raises:
        DeviceError: a rank or the scheduler is missing, or MindSpore counts the ranks otherwise.
    """
    from pipeline.training import collective

    join(rank, size)
    return bool(collective.broadcast_numbers([int(has_work)])[0])


def has_begun() -> bool:
    """Whether this process has joined others, or has tried: it then must `leave`."""
    return _has_begun.is_set()


def leave(exit_code: int) -> NoReturn:
    """This process has ended; the last call of every rank that has joined, whatever became of it.

    The other ranks may go on alone for as long as they like if the code is 0; if it is not, their
    launcher ends them, or MindSpore after half a minute. Left to end by itself, a process on CPU
    may crash or hang in MindSpore's C++ destructors, when all is done (3 of 22 on a busy machine).
    """
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    if exit_code == 0:
        # MindSpore tells the scheduler in one of these, and people that its threads have started.
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
            atexit._run_exitfuncs()
    os._exit(exit_code)


def schedule() -> None:
    """This process was MindSpore's scheduler until all ranks had gone; it trains nothing.

    MindSpore may end the process itself then, with exit code 0 and past Python's endings. Until
    then no Python code runs here, handlers included: SIGTERM ends it at once, while an interrupt
    from the terminal is for the ranks to follow.

    Raises:
        DependencyError: MindSpore is missing, broken or too old, or numpy is too new for it.
        DeviceError: the ranks did not come, or the address cannot be used.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    # A rank that fails tells of it itself.
    os.environ.setdefault("GLOG_v", "4")
    device.use("CPU")
    communication = importlib.import_module("mindspore.communication")
    try:
        communication.init()
    except (RuntimeError, ValueError) as error:
        # A rank that ended without taking leave is gone too.
        if "timed out node" in str(error):
            return
        raise DeviceError(
            f"the scheduler could not gather the ranks: {device.first_sentence(error)} Expected "
            f"ranks that agree on {_meeting_point(os.environ)}, and a port that is free. "
            f"Look at these variables, and at the logs of the ranks."
        ) from error


def _wait_for_scheduler(variables: Mapping[str, str]) -> None:
    """The scheduler listens; MindSpore itself would try again after seconds only."""
    host, port = variables.get("MS_SCHED_HOST"), variables.get("MS_SCHED_PORT", "")
    if not host or not port.isdecimal():
        return
    deadline = time.monotonic() + float(variables["MS_TOPO_TIMEOUT"])
    while True:
        try:
            socket.create_connection((host, int(port)), timeout=1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(_PAUSE_S)
        else:
            return


def _meeting_point(variables: Mapping[str, str]) -> str:
    names: tuple[str, ...] = _SCHEDULER_VARIABLES
    if "MS_ROLE" not in variables and any(name in variables for name in _RANK_TABLE_VARIABLES):
        names = _RANK_TABLE_VARIABLES
    return ", ".join(f"{name}={variables.get(name, '(not set)')}" for name in names)
