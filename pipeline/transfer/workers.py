"""Several transfers at once, in threads that never hold up the end of the process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import TYPE_CHECKING, Generic, Optional, TypeVar

from pipeline.storage import OnBytes

S = TypeVar("S")
T = TypeVar("T")

if TYPE_CHECKING:
    Outcomes = SimpleQueue[tuple[int, Optional[T], Optional[BaseException]]]

# How long a failed group waits for its members to notice before its error is raised.
_LEAVE_S = 1.0


class StoppedError(Exception):
    """Ends a transfer because another of its group has failed or was interrupted."""


class Workers:
    """A group of threads that ends together; `count` and `sleep` are how its members notice."""

    def __init__(self, *, parallel: int, on_bytes: OnBytes) -> None:
        """Takes an `on_bytes` that need not bear calls from two threads at once."""
        self._parallel = parallel
        self._on_bytes = on_bytes
        self._lock = threading.Lock()
        self._stop = threading.Event()

    def count(self, count_bytes: int) -> None:
        """Passes bytes on to `on_bytes`, unless the group is to end."""
        if self._stop.is_set():
            raise StoppedError
        with self._lock:
            self._on_bytes(count_bytes)

    def sleep(self, seconds: float) -> None:
        """Waits so long, unless the group is to end."""
        if self._stop.wait(seconds):
            raise StoppedError

    def run(self, work: Callable[[S], T], items: Sequence[S]) -> list[T]:
        """What `work` returns for each item, in their order; the first error ends all.

        The threads are daemons and the caller waits on a queue, so that an interrupt
        ends it at once, also while a member stands in a read.
        """
        waiting: SimpleQueue[tuple[int, S]] = SimpleQueue()
        for pair in enumerate(items):
            waiting.put(pair)
        outcomes: Outcomes[T] = SimpleQueue()
        threads = [
            threading.Thread(target=self._drain, args=(work, waiting, outcomes), daemon=True)
            for _ in range(min(self._parallel, len(items)))
        ]
        results: dict[int, T] = {}
        try:
            for thread in threads:
                thread.start()
            for _ in items:
                index, result, error = outcomes.get()
                if error is not None:
                    self._leave(threads)
                    raise error
                results[index] = result  # type: ignore[assignment]
        finally:
            self._stop.set()
        return [results[index] for index in range(len(items))]

    def _drain(
        self,
        work: Callable[[S], T],
        waiting: SimpleQueue[tuple[int, S]],
        outcomes: Outcomes[T],
    ) -> None:
        while not self._stop.is_set():
            try:
                index, item = waiting.get_nowait()
            except Empty:
                return
            with _Carrying(index, outcomes, self._stop):
                outcomes.put((index, work(item), None))

    def _leave(self, threads: Sequence[threading.Thread]) -> None:
        self._stop.set()
        for thread in threads:
            thread.join(timeout=_LEAVE_S / len(threads))


class _Carrying(Generic[T]):
    """Carries an error over to the thread that waits for outcomes, which raises it there."""

    def __init__(self, index: int, outcomes: Outcomes[T], stop: threading.Event) -> None:
        self._index = index
        self._outcomes = outcomes
        self._stop = stop

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        """Whether there was an error; it is not lost, but on its way."""
        if error is None:
            return False
        self._stop.set()
        self._outcomes.put((self._index, None, error))
        return True
