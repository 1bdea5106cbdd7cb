"""Whether this process is to end before its work is done, why, and by when.

A signal normally ends the work where it stands. Work that asks by itself, such as training, hears
of it when it asks, and ends with its state saved; a second signal ends that too.
"""

from __future__ import annotations

import contextlib
import math
import signal
import threading
import time
from collections.abc import Iterator
from types import FrameType

from pipeline import errors
from pipeline.disk.clock import PROCESS_STARTED_S
from pipeline.errors import StoppedEarlyError

# A signal sent to a process and to its group comes twice, and means the same.
_ECHO_S = 0.5
# What of the time that launchers leave goes to sending; the rest is for the manifest and the end.
SEND_GRACE_S = 8.0
_LAST_S = 5.0
# What is told of an ending is told by then: launchers kill 15 s after they asked.
TELL_GRACE_S = 11.0
# And within so long, because a signal may have been heard late, such as during a compilation.
TELLING_S = 4.0
_TOLD_S = 1.0
# Of a time budget so much is kept back for saving and exporting, and never more.
_SHARE_KEPT, _MOST_KEPT_S = 0.1, 120.0
_BUDGET_SIGNAL = getattr(signal, "SIGALRM", None)


class Terminated(KeyboardInterrupt):
    """SIGTERM came: end like an interrupt, with another exit code."""


class OutOfTime(KeyboardInterrupt):
    """The time budget is used up: end like an interrupt, with another exit code."""


EXIT_CODES = {signal.SIGINT: errors.INTERRUPTED, signal.SIGTERM: errors.TERMINATED}
if _BUDGET_SIGNAL is not None:
    EXIT_CODES[_BUDGET_SIGNAL] = errors.OUT_OF_TIME


def kept_back_s(budget_s: float) -> float:
    """What of a time budget is kept back for saving and exporting.

    >>> [kept_back_s(60 * minutes) for minutes in (1, 10, 600)]
    [6.0, 60.0, 120.0]
    """
    return min(_MOST_KEPT_S, budget_s * _SHARE_KEPT)


class Stop:
    """Why to stop, if there is a reason; heard by the main thread, noted by any."""

    def __init__(self, time_budget_min: float | None = None) -> None:
        """The budget counts from the start of the process."""
        self.budget_min = time_budget_min
        self.reason: KeyboardInterrupt | None = None
        self._noted_s, self._number = 0.0, 0
        self._is_heard = self._is_asking = False
        self.is_at_rest = self.is_taken_over = False

    @contextlib.contextmanager
    def listening(self) -> Iterator[Stop]:
        """Signals are heard, in the main thread; the end of the budget is one of them."""
        before = {number: signal.signal(number, self._hear) for number in EXIT_CODES}
        try:
            if self.budget_min is not None and _BUDGET_SIGNAL is not None:
                left_s = self._budget_end_s - self._kept_back_s - time.monotonic()
                signal.setitimer(signal.ITIMER_REAL, max(left_s, 0.001))
            yield self
        finally:
            if self.budget_min is not None and _BUDGET_SIGNAL is not None:
                signal.setitimer(signal.ITIMER_REAL, 0)
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextlib.contextmanager
    def asked_for(self) -> Iterator[None]:
        """In here the first reason to stop is told to those who ask, and raised at the end.

        Of many ranks another one may have had the reason, which all then have.
        """
        self._is_asking = True
        try:
            yield
        except StoppedEarlyError as error:
            if error.why:
                self.note(error.why)
            if self.reason is None:
                raise
            raise self.reason from error
        finally:
            self._is_asking = False
        if self.reason is not None:
            raise self.reason

    @contextlib.contextmanager
    def at_rest(self) -> Iterator[None]:
        """An ending comes at once in here and loses a few steps at most: a graph is compiled."""
        self.is_at_rest = True
        try:
            yield
        finally:
            self.is_at_rest = False
        if self.is_taken_over:
            # Another thread ends this process; what it tells of must not change any more.
            threading.Event().wait()

    def wanted_by(self) -> int:
        """The signal for which to stop at the next good moment; 0: go on."""
        return self._number if self.reason is not None else 0

    def note(self, number: int) -> None:
        """This signal has come; the first counts."""
        if self.reason is None:
            self._noted_s, self._number = time.monotonic(), number
            self.reason = self._meaning(number)

    @property
    def _kept_back_s(self) -> float:
        return kept_back_s(60 * (self.budget_min or 0))

    def spare_s(self, number: int) -> float:
        """How much time is left when this signal comes, as far as anybody can tell."""
        return self._kept_back_s if number == _BUDGET_SIGNAL else 0.0

    @property
    def send_until_s(self) -> float:
        """When to stop sending, on the monotonic clock."""
        since_s = self._noted_s or time.monotonic()
        if isinstance(self.reason, OutOfTime):
            return max(self._budget_end_s - _LAST_S, since_s + SEND_GRACE_S)
        return since_s + SEND_GRACE_S

    @property
    def tell_until_s(self) -> float:
        """When to stop telling others of the end, on the monotonic clock."""
        if self.reason is None:
            return math.inf
        since_s = self._noted_s or time.monotonic()
        if isinstance(self.reason, OutOfTime):
            return max(self._budget_end_s - _TOLD_S, since_s + TELL_GRACE_S)
        return min(since_s + TELL_GRACE_S, time.monotonic() + TELLING_S)

    @property
    def _budget_end_s(self) -> float:
        return PROCESS_STARTED_S + 60 * (self.budget_min or 0)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        del frame
        is_first, self._is_heard = not self._is_heard, True
        self.note(number)
        if is_first and self._is_asking:
            return
        is_echo = not is_first and time.monotonic() - self._noted_s < _ECHO_S
        if is_echo or (not is_first and number == _BUDGET_SIGNAL):
            return
        raise self.reason if is_first and self.reason else self._meaning(number)

    def _meaning(self, number: int) -> KeyboardInterrupt:
        if number == signal.SIGTERM:
            return Terminated()
        if number == _BUDGET_SIGNAL:
            return OutOfTime(
                f"the time budget of {self.budget_min:g} min is used up but for the "
                f"{self._kept_back_s:.0f} s that saving and exporting get; the same command goes on"
            )
        return KeyboardInterrupt()
