"""What waits to be sent and to be removed: filled by one thread, worked off by another."""

from __future__ import annotations

import threading
from collections.abc import Callable

_SETTLE_S = 0.05


class Backlog:
    """Names in the order in which they came; nothing here takes time.

    What was pruned before it was sent is never sent. What was pruned later may be removed once
    everything that came before the pruning has been sent: its successor is among that.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: dict[str, int] = {}
        self._at_work: dict[str, int] = {}
        self._pruned: dict[str, int] = {}
        self._count = 0
        self._is_closing = self._is_closed = self._has_pruned = False

    def add(self, name: str) -> None:
        """There is something new under this name."""
        with self._changed:
            self._count += 1
            self._pruned.pop(name, None)
            self._waiting.setdefault(name, self._count)
            self._changed.notify_all()

    def prune(self, name: str) -> None:
        """There is nothing under this name any more."""
        with self._changed:
            self._waiting.pop(name, None)
            self._pruned[name] = self._count
            self._has_pruned = True
            self._changed.notify_all()

    def take(self, size_of: Callable[[str], int], *, most_bytes: int, most: int) -> list[str]:
        """The next names to send, at least one where any waits; see `done` and `put_back`."""
        with self._changed:
            total_bytes = 0
            for name in list(self._waiting)[:most]:
                self._at_work[name] = self._waiting.pop(name)
                total_bytes += size_of(name)
                if total_bytes >= most_bytes:
                    break
            return list(self._at_work)

    def done(self) -> None:
        """What was taken has been seen to."""
        with self._changed:
            self._at_work.clear()
            self._changed.notify_all()

    def put_back(self) -> None:
        """What was taken waits again, unless it was pruned meanwhile."""
        with self._changed:
            again = {n: count for n, count in self._at_work.items() if n not in self._pruned}
            self._waiting = {**again, **{n: c for n, c in self._waiting.items() if n not in again}}
            self._at_work.clear()

    def removable(self) -> list[str]:
        """What was pruned, and whose successors have been sent."""
        with self._changed:
            outstanding = [*self._waiting.values(), *self._at_work.values()]
            first = min(outstanding, default=self._count + 1)
            return [name for name, count in self._pruned.items() if count < first]

    def removed(self, name: str) -> None:
        """It was; unless it has come back meanwhile, when this says nothing."""
        with self._changed:
            self._pruned.pop(name, None)

    def close(self, *, at_once: bool) -> None:
        """`wait` and `pause` are false from now on; or, not `at_once`, once nothing waits."""
        with self._changed:
            self._is_closing, self._is_closed = True, at_once
            self._changed.notify_all()

    def open(self) -> None:
        """Undoes `close`."""
        with self._changed:
            self._is_closing = self._is_closed = False

    @property
    def is_closing(self) -> bool:
        """Whether `close` was called."""
        return self._is_closing

    def wait(self, timeout_s: float | None) -> bool:
        """Returns when there is something to do or the time is over; false: there never will be."""
        with self._changed:
            self._changed.wait_for(self._has_news, timeout_s)
            # A checkpoint comes with its record and the index: they belong into one round.
            self._changed.wait_for(lambda: self._is_closing, _SETTLE_S)
            self._has_pruned = False
            return not self._is_closed and (bool(self._waiting) or not self._is_closing)

    def pause(self, seconds: float) -> bool:
        """Waits so long, whatever comes; false if it was closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_closing, seconds)
            return not self._is_closed

    def _has_news(self) -> bool:
        return bool(self._waiting) or self._is_closing or self._has_pruned
