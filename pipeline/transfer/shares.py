"""The ranges of one object, fetched by whoever is idle."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence

from pipeline.errors import MindRunError, StorageError
from pipeline.storage import ObjectChangedError, RangesRefusedError
from pipeline.transfer.ranges import Range
from pipeline.transfer.workers import Workers

# How often who waits looks whether another has failed or the whole group is to end.
_LOOK_S = 0.2

# After these the object is begun anew, when nobody writes its file any more.
_BEGUN_ANEW = (ObjectChangedError, RangesRefusedError)


class Shares:
    """Ranges to fetch, each by one thread; the first that fails ends the others' work too.

    A server may allow few connections, or one: a range that it has no time for waits until
    another is there, and fewer are fetched at once from then on.
    """

    def __init__(
        self, ranges: Sequence[Range], fetch: Callable[[Range], object], workers: Workers
    ) -> None:
        """Takes what is missing, how one range of it is fetched, and who may help."""
        self._waiting = deque(ranges)
        self._fetch = fetch
        self._workers = workers
        self._most = len(ranges)
        self._under_way = 0
        self._error: MindRunError | None = None
        self._change = threading.Condition()

    def fetch_all(self) -> None:
        """All ranges are there, fetched by this thread and by idle ones of the group.

        Raises:
            MindRunError: that of the first range that could not be fetched.
        """
        with self._workers.sharing(self, shares=len(self._waiting)):
            while not self._is_over():
                share = self.take()
                if share:
                    share()
                else:
                    self._wait()
        if self._error is not None:
            raise self._error

    def take(self) -> Callable[[], bool] | None:
        """The next range as something to do, which returns whether it was done."""
        with self._change:
            is_full = self._under_way >= self._most
            if self._error is not None or not self._waiting or is_full:
                return None
            self._under_way += 1
            missing = self._waiting.popleft()
        return lambda: self._carry_out(missing)

    def check(self) -> None:
        """Ends the work of who calls this, if that of another has failed.

        Raises:
            StorageError: another has failed; nobody gets to see this one.
        """
        self._workers.check()
        if self._error is not None:
            error = StorageError("Another range of the object could not be fetched.")
            error.is_passing = False
            raise error

    def sleep(self, seconds: float, sleep: Callable[[float], object]) -> None:
        """Waits so long by `sleep`, unless another range fails meanwhile."""
        while seconds > 0:
            self.check()
            sleep(min(seconds, _LOOK_S))
            seconds -= _LOOK_S

    def give_back(self, missing: Range) -> None:
        """Ends the work of who calls this, to be done later, if other ranges are under way."""
        with self._change:
            if self._under_way == 1:
                return
            self._under_way -= 1
            self._most = self._under_way
            self._waiting.appendleft(missing)
        raise _GivenBackError

    def _carry_out(self, missing: Range) -> bool:
        try:
            self._fetch(missing)
        except _GivenBackError:
            return False
        except MindRunError as error:
            self._end_one(error)
            if isinstance(self._error, _BEGUN_ANEW):
                return False
            # The whole group ends, also where who waits for this range stands in a read itself.
            raise self._error or error from None
        self._end_one(None)
        return True

    def _end_one(self, error: MindRunError | None) -> None:
        with self._change:
            self._under_way -= 1
            self._error = self._error or error
            # What was too much then need not be so now.
            self._most += error is None
            self._change.notify_all()
        self._workers.nudge()

    def _is_over(self) -> bool:
        with self._change:
            if self._error is None or isinstance(self._error, _BEGUN_ANEW):
                is_left = self._waiting and self._error is None
                return not is_left and not self._under_way
            return True

    def _wait(self) -> None:
        self._workers.check()
        with self._change:
            self._change.wait(_LOOK_S)


class _GivenBackError(Exception):
    """Ends the work on a range that was given back."""
