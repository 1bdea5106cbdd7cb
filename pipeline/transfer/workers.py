"""Several transfers at once, in threads that never hold up the end of the process."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Any, Protocol, TypeVar

from pipeline.storage import OnBytes

S = TypeVar("S")
T = TypeVar("T")

# How long a failed group waits for its members to notice before its error is raised.
_LEAVE_S = 1.0

# How often it is decided whether there should be more threads; with so much of the cores' time
# in use, more would only be in each other's way.
_GROW_S = 0.02
_BUSY = 0.8


class StoppedError(Exception):
    """Ends a transfer because another of its group has failed or was interrupted."""


class Shared(Protocol):
    """A piece of work of which any idle member of the group may take a share."""

    def take(self) -> Callable[[], bool] | None:
        """The next share, which nobody else will get; None when there is none now.

        It returns whether it was done.
        """


class Workers:
    """A group of threads that ends together; `count` and `sleep` are how its members notice.

    `finished` is the number of items and shares that were done.
    """

    def __init__(self, *, parallel: int, on_bytes: OnBytes) -> None:
        """Takes an `on_bytes` that need not bear calls from two threads at once."""
        self.finished = 0
        self._parallel = parallel
        self._on_bytes = on_bytes
        self._counting = threading.Lock()
        self._stop = threading.Event()
        # Wakes who waits for the group: it is over, or there is work for more threads.
        self._news = threading.Event()
        self._is_over = False
        # Guards all that follows; notified when there is a share to take, or no more work.
        self._change = threading.Condition()
        self._threads: list[threading.Thread] = []
        self._shared: list[Shared] = []
        self._error: BaseException | None = None
        self._left = 0
        self._wanted = 0
        self._next: Callable[[], Callable[[], bool] | None] = _nothing

    def count(self, count_bytes: int) -> None:
        """Passes bytes on to `on_bytes`, unless the group is to end."""
        self.check()
        with self._counting:
            self._on_bytes(count_bytes)

    def check(self) -> None:
        """Ends the work of who calls this, if the group is to end."""
        if self._stop.is_set():
            raise StoppedError

    def nudge(self) -> None:
        """Idle members look again whether there is a share to take."""
        with self._change:
            self._change.notify_all()

    def sleep(self, seconds: float) -> None:
        """Waits so long, unless the group is to end."""
        if self._stop.wait(seconds):
            raise StoppedError

    def run(
        self, work: Callable[[S], T], items: Sequence[S], *, is_python: bool = False
    ) -> list[T]:
        """What `work` returns for each item, in their order; the first error ends all.

        One thread begins and more come while they mostly wait for others than each other:
        `is_python` says that it is mostly Python that works, which only one thread does at
        a time. They are daemons and the caller only waits, so that an interrupt ends it at
        once, also while a member stands in a read.
        """
        results: list[Any] = [None] * len(items)
        if not items:
            return results
        numbers = iter(range(len(items)))

        def next_item() -> Callable[[], bool] | None:
            number = next(numbers, None)
            return None if number is None else lambda: self._keep(results, number, work, items)

        self._next, self._left = next_item, len(items)
        try:
            self._wanted = len(items)
            self._start(1)
            self._grow(busy=_BUSY if is_python else _BUSY * _cores())
            if self._error is not None:
                self._leave()
                raise self._error
        finally:
            self._end()
        return results

    @contextlib.contextmanager
    def sharing(self, shared: Shared, *, shares: int) -> Iterator[None]:
        """Members that have no item of their own take shares of this meanwhile."""
        with self._change:
            self._shared.append(shared)
            self._wanted += shares - 1
        self.nudge()
        self._news.set()
        try:
            yield
        finally:
            with self._change:
                self._shared.remove(shared)
                self._wanted -= shares - 1

    def _grow(self, *, busy: float) -> None:
        """Until the end, twice as many threads run as long as there is work and time for it."""
        while not self._is_over:
            is_short = len(self._threads) < min(self._parallel, self._wanted)
            began_s, used_s = time.monotonic(), time.process_time()
            if self._news.wait(_GROW_S if is_short else None):
                self._news.clear()
                continue
            busy_s, passed_s = time.process_time() - used_s, time.monotonic() - began_s
            if busy_s < busy * passed_s:
                self._start(2 * len(self._threads))

    def _start(self, count: int) -> None:
        """So many threads run, but no more than the group may have."""
        with self._change:
            for _ in range(min(self._parallel, self._wanted, count) - len(self._threads)):
                thread = threading.Thread(target=self._drain, daemon=True)
                self._threads.append(thread)
                thread.start()

    def _drain(self) -> None:
        with _Carrying(self._fail):
            while task := self._task():
                is_done = task()
                with self._change:
                    self.finished += is_done

    def _task(self) -> Callable[[], bool] | None:
        """An item before a share of another's: fewer things are unfinished at any instant."""
        with self._change:
            while not self._stop.is_set():
                task = self._next() or self._share()
                if task or self._left == 0:
                    return task
                self._change.wait()
        return None

    def _share(self) -> Callable[[], bool] | None:
        return next((task for shared in self._shared if (task := shared.take())), None)

    def _keep(
        self, results: list[Any], number: int, work: Callable[[S], T], items: Sequence[S]
    ) -> bool:
        results[number] = work(items[number])
        with self._change:
            self._left -= 1
            if self._left == 0:
                self._change.notify_all()
                self._is_over = True
                self._news.set()
        return True

    def _fail(self, error: BaseException) -> None:
        with self._change:
            self._error = self._error or error
        self._end()

    def _end(self) -> None:
        self._stop.set()
        self._is_over = True
        self._news.set()
        self.nudge()

    def _leave(self) -> None:
        for thread in self._threads:
            thread.join(timeout=_LEAVE_S / len(self._threads))


def _cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _nothing() -> None:
    """The next item of a group that has not begun."""


class _Carrying:
    """Carries an error over to the thread that waits for the group, which raises it there."""

    def __init__(self, carry: Callable[[BaseException], None]) -> None:
        self._carry = carry

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        """Whether there was an error; it is not lost, but on its way."""
        if error is not None:
            self._carry(error)
        return error is not None
