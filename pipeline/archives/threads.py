"""Several threads at one archive, which end together."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TypeVar

T = TypeVar("T")

# Beyond this the disk is the limit, whatever the machine.
_MOST = 8


class StoppedError(Exception):
    """Ends a thread because another has failed or the main one was interrupted."""


def usual() -> int:
    """How many threads unpack where nobody says: one for each core this process may use."""
    may_use = getattr(os, "sched_getaffinity", None)
    cores = len(may_use(0)) if may_use else os.cpu_count() or 1
    return min(cores, _MOST)


class Crew:
    """Threads that share out work; when one fails the others leave at their next `check`."""

    def __init__(self, workers: int) -> None:
        """Takes the number of threads; with one the caller's own does the work."""
        self._workers = workers
        self._stop = threading.Event()

    def check(self) -> None:
        """Raises StoppedError once the crew is to end."""
        if self._stop.is_set():
            raise StoppedError

    def run(self, work: Callable[[T], object], items: Iterable[T]) -> None:
        """Does the work on each item; the first error ends all and is raised here.

        Every thread has ended when this returns, also after an interrupt: none may
        write into a folder that is being removed.
        """
        items = list(items)
        if min(self._workers, len(items)) <= 1:
            for item in items:
                work(item)
            return
        pool = ThreadPoolExecutor(self._workers, thread_name_prefix="unpack")
        try:
            for future in as_completed([pool.submit(work, item) for item in items]):
                future.result()
        finally:
            self._stop.set()
            pool.shutdown(cancel_futures=True)
