"""The ranges of one object, fetched by whoever is idle."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence

from pipeline.errors import MindRunError, StorageError
from pipeline.transfer.ranges import Range
from pipeline.transfer.workers import Workers

# How often who waits for others' shares looks whether the whole group is to end.
_LOOK_S = 0.2


class Shares:
    """Ranges to fetch, each by one thread; the first that fails ends the others' work too."""

    def __init__(self, ranges: Sequence[Range], fetch: Callable[[Range], object]) -> None:
        """Takes what is missing and how one range of it is fetched."""
        self._waiting = deque(ranges)
        self._fetch = fetch
        self._under_way = 0
        self._error: MindRunError | None = None
        self._change = threading.Condition()

    def fetch_all(self, workers: Workers) -> None:
        """All ranges are there, fetched by this thread and by idle ones of the group.

        Raises:
            MindRunError: that of the first range that could not be fetched.
        """
        with workers.sharing(self, shares=len(self._waiting)):
            while share := self.take():
                share()
            with self._change:
                while self._under_way:
                    self._change.wait(_LOOK_S)
                    workers.sleep(0)
        if self._error is not None:
            raise self._error

    def take(self) -> Callable[[], object] | None:
        """The next range as something to do."""
        with self._change:
            if self._error is not None or not self._waiting:
                return None
            self._under_way += 1
            missing = self._waiting.popleft()
        return lambda: self._carry_out(missing)

    def check(self) -> None:
        """Ends the work of who calls this, if that of another has failed.

        Raises:
            StorageError: another has failed; nobody gets to see this one.
        """
        if self._error is not None:
            error = StorageError("Another range of the object could not be fetched.")
            error.is_passing = False
            raise error

    def _carry_out(self, missing: Range) -> None:
        try:
            self._fetch(missing)
        except MindRunError as error:
            self._error = self._error or error
        finally:
            with self._change:
                self._under_way -= 1
                self._change.notify_all()
