"""Work that one process of a machine does for all: by whoever takes the lock, seen by the others.

Nobody polls a flag that may never come: the kernel frees a killed holder's lock, a failure is
recorded, and a wait is bounded by the holder's silence, not by how long the work takes.
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

from filelock import FileLock, Timeout

from pipeline.context import Context
from pipeline.errors import MindRunError, StalledError
from pipeline.files import naming_full_disk, write_json
from pipeline.masking import mask
from pipeline.stage import Stage

log = logging.getLogger(__name__)

_POLL_S = 0.2
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
    with naming_full_disk(place):
        place.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(place.with_name(f"{place.name}.lock"))
    heartbeat = place.with_name(f"{place.name}.moving")
    _wait_for(lock, heartbeat, silence_s=context.job.cluster.node_wait_s, what=stage.name)
    try:
        return _take_turn(context, stage, place, heartbeat)
    finally:
        lock.release()


def _take_turn(context: Context, stage: Stage, place: Path, heartbeat: Path) -> dict[str, Any]:
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
    context.heartbeat = heartbeat
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


def _wait_for(lock: FileLock, heartbeat: Path, *, silence_s: float, what: str) -> None:
    quiet_since_s, is_told = time.time(), False
    while True:
        try:
            lock.acquire(timeout=_POLL_S)
        except Timeout:
            if not is_told:
                log.info("another process of this machine is at work on %s; waiting", what)
                is_told = True
            quiet_since_s = max(quiet_since_s, _moved_s(heartbeat))
            if time.time() - quiet_since_s > silence_s:
                raise StalledError(
                    f"{what}: the process that works on it for this machine has not moved for "
                    f"{silence_s:.0f} s (cluster.node_wait_s); look at its log."
                ) from None
        else:
            return


def _moved_s(heartbeat: Path) -> float:
    try:
        return heartbeat.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _failure_since(record: Path, started_s: float) -> str:
    try:
        found = json.loads(record.read_text(encoding="utf-8"))
        return str(found["error"]) if float(found["time_s"]) >= started_s else ""
    except (OSError, ValueError, KeyError, TypeError):
        return ""
