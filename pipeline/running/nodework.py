"""Work that one process of a machine does for all: by whoever takes the lock, seen by the others.

Nobody polls a flag that may never come: waiting is the matter of locks.py, and a failure is
recorded, so that those who waited need not fail by themselves.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

from pipeline.context import Context
from pipeline.disk import locks
from pipeline.disk.files import write_json
from pipeline.errors import MindRunError
from pipeline.messages.masking import mask
from pipeline.stage import Stage

log = logging.getLogger(__name__)

_CONNECT_TIMEOUT = "HCCL_CONNECT_TIMEOUT"
# What training/cluster sets where the variable is not set.
_CONNECT_TIMEOUT_S = 1800.0


class NodeWorkError(MindRunError, RuntimeError):
    """Another process of this machine failed at the work that this one waited for."""


def share(context: Context, stage: Stage) -> dict[str, Any]:
    """The stage's products, worked for by this process or by another of this machine.

    Raises:
        NodeWorkError: another process failed at it since this one started.
        StalledError: the process that holds the lock has shown no movement for too long.
    """
    place = context.data_dir / f".{context.job.run_id}-{stage.name}"
    silence_s = context.job.cluster.node_wait_s
    with locks.turn(place, what=stage.name, silence_s=silence_s) as moving:
        return _take_turn(context, stage, place, moving)


def _take_turn(context: Context, stage: Stage, place: Path, moving: Path) -> dict[str, Any]:
    """Only the holder of the lock is here."""
    record = place.with_name(f"{place.name}.json")
    failure = _failure_since(record, context.started_s)
    if failure:
        raise NodeWorkError(f"another process of this machine failed at {stage.name}: {failure}")
    outlook = stage.look(context)
    if outlook.state == "done":
        log.info("%s is done already, by another process of this machine", stage.name)
        context.record(**outlook.facts)
        return dict(outlook.products)
    context.heartbeat = moving
    is_done = False
    warning = _warn_before_others_give_up(stage.name)
    try:
        products = stage.run(context, context.products)
        is_done = True
        return products
    finally:
        warning.cancel()
        context.heartbeat = None
        if is_done:
            record.unlink(missing_ok=True)
        else:
            _tell_the_others(record, sys.exc_info()[1])


def _tell_the_others(record: Path, error: BaseException | None) -> None:
    """They must not try in their turn, each as long as this one."""
    if isinstance(error, KeyboardInterrupt):
        # Who is asked to end has not failed; another start may well finish the work.
        return
    told = mask(str(error)) or type(error).__name__
    with contextlib.suppress(OSError):
        write_json(record, {"time_s": time.time(), "error": told})


def _warn_before_others_give_up(what: str) -> threading.Timer:
    """Machines that are ready earlier wait for this one in HCCL, and not for ever."""
    try:
        limit_s = float(os.environ.get(_CONNECT_TIMEOUT, ""))
    except ValueError:
        limit_s = _CONNECT_TIMEOUT_S
    text = "%s goes on for %.0f s; ranks on other machines give up after %s=%.0f s: set it higher"
    near_s = limit_s * 0.8
    timer = threading.Timer(near_s, log.warning, (text, what, near_s, _CONNECT_TIMEOUT, limit_s))
    timer.daemon = True
    timer.start()
    return timer


def _failure_since(record: Path, started_s: float) -> str:
    try:
        found = json.loads(record.read_text(encoding="utf-8"))
        return str(found["error"]) if float(found["time_s"]) >= started_s else ""
    except (OSError, ValueError, KeyError, TypeError):
        return ""
