"""Work that several processes need and one of them does: the others wait, but not for ever.

Whoever works holds a lock file, which the kernel frees when the process is killed, and touches a
file beside it as the work moves on. A wait is bounded by the holder's silence, not by how long
the work takes.
"""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from pipeline.disk.files import naming_full_disk
from pipeline.errors import StalledError

log = logging.getLogger(__name__)

OnBytes = Callable[[int], object]

_POLL_S = 0.2
_BEAT_S = 1.0


class Heart:
    """Tells other processes, once a second at most, that the work of this one moves on."""

    def __init__(self, *paths: Path) -> None:
        """Takes the files to touch."""
        self._paths, self._last_s = paths, 0.0

    def beat(self) -> None:
        """The work has moved."""
        now_s = time.monotonic()
        if now_s - self._last_s > _BEAT_S:
            self._last_s = now_s
            for path in self._paths:
                path.touch()


@contextmanager
def turn(
    place: Path,
    *,
    what: str,
    silence_s: float,
    on_moved: Callable[[], object] = lambda: None,
) -> Iterator[Path]:
    """This process alone is at work; gives the file to touch as the work moves on.

    Lock and sign of life are called `<place>.lock` and `<place>.moving`. While another process
    holds the lock, one line says so, and `on_moved` is called whenever that process has moved.

    Raises:
        StalledError: the holder has shown no movement for `silence_s` seconds.
        DiskFullError: the disk has no space for the lock.
    """
    lock = FileLock(place.with_name(f"{place.name}.lock"))
    moving = place.with_name(f"{place.name}.moving")
    with naming_full_disk(place):
        place.parent.mkdir(parents=True, exist_ok=True)
        _acquire(lock, moving, what=what, silence_s=silence_s, on_moved=on_moved)
    try:
        with naming_full_disk(moving):
            moving.write_text(f"pid {os.getpid()} on {socket.gethostname()}", encoding="utf-8")
        yield moving
    finally:
        moving.unlink(missing_ok=True)
        lock.release()


@contextmanager
def alone_at(path: Path, *, what: str, silence_s: float, on_bytes: OnBytes) -> Iterator[OnBytes]:
    """This process alone works on this file or folder; gives what to call with bytes that moved.

    That passes them on to `on_bytes`, so that one such block can lie within another.

    Raises:
        StalledError: another process is at work on it, and has not moved for too long.
    """
    place = path.with_name(f".{path.name}")
    with turn(place, what=what, silence_s=silence_s, on_moved=lambda: on_bytes(0)) as moving:
        heart = Heart(moving)

        def count(moved_bytes: int) -> None:
            heart.beat()
            on_bytes(moved_bytes)

        yield count


def _acquire(
    lock: FileLock,
    moving: Path,
    *,
    what: str,
    silence_s: float,
    on_moved: Callable[[], object],
) -> None:
    # Whether the time changes is what counts: the file may lie on a server with another clock.
    moved_ns, quiet_since_s = _moved_ns(moving), time.monotonic()
    is_told, timeout_s = False, 0.0
    while True:
        try:
            lock.acquire(timeout=timeout_s)
        except Timeout:
            timeout_s = _POLL_S
        else:
            return
        if not is_told:
            log.info("%s: another process (%s) is at work on it; waiting", what, _holder(moving))
            is_told = True
        if _moved_ns(moving) != moved_ns:
            moved_ns, quiet_since_s = _moved_ns(moving), time.monotonic()
            on_moved()
        if time.monotonic() - quiet_since_s > silence_s:
            raise StalledError(
                f"{what}: the process that works on it ({_holder(moving)}) has not moved for "
                f"{silence_s:.0f} s (cluster.node_wait_s); look at its log, or end it."
            )


def _holder(moving: Path) -> str:
    try:
        return moving.read_text(encoding="utf-8") or "just starting"
    except OSError:
        return "just starting"


def _moved_ns(moving: Path) -> int:
    try:
        return moving.stat().st_mtime_ns
    except OSError:
        return 0
