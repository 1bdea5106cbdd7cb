"""The queue: which job is started when, and what becomes of all when a signal comes.

Where jobs come from, and what is done with their endings, is the source's matter; where they run
is the engine's.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Optional, Protocol

from pipeline.commands.sweeping.engines.protocol import Ending, Engine, Order, Started

POLL_S = 0.05
# A process that is asked to end does so within 13 s (endings.py); this is for one that hangs.
GRACE_S = 20.0
_HEARD = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Source(Protocol):
    """Where jobs come from, one by one, and who hears of their endings."""

    def ask(self) -> Optional[Order]:
        """The next job to start; None where there is none now. Asked again after each ending."""

    def unwanted(self, at_work: Collection[str]) -> Collection[str]:
        """Which of these runs, by their ids, are to be ended; asked several times a second."""

    def ended(self, order: Order, ending: Ending, seconds: float) -> None:
        """This job has ended, so many seconds after it was started."""


@dataclass
class _Busy:
    """A slot with a job in it."""

    order: Order
    process: Started
    began_s: float
    asked_s: float = 0.0


class Scheduler:
    """Up to `slots` jobs of a source at a time, through an engine."""

    def __init__(self, source: Source, engine: Engine, *, slots: int) -> None:
        self._source, self._engine = source, engine
        self._slots: list[Optional[_Busy]] = [None] * slots
        self._signals: list[int] = []
        self._passed_on = 0

    def run(self) -> int:
        """Every job of the source has ended; gives the first signal that came, or 0.

        On a signal nothing more is started, and what is at work is asked to end, and waited for.
        """
        with self._listening():
            try:
                while True:
                    self._fill()
                    if not any(self._slots):
                        return self._signals[0] if self._signals else 0
                    self._look()
                    self._pass_on_signals()
                    self._end_unwanted()
                    time.sleep(POLL_S)
            finally:
                self._end_all()
                self._engine.close()

    def _fill(self) -> None:
        for slot, busy in enumerate(self._slots):
            if busy is not None or self._signals:
                continue
            order = self._source.ask()
            if order is None:
                return
            process = self._engine.start(order, slot)
            self._slots[slot] = _Busy(order, process, time.monotonic())

    def _look(self) -> None:
        for slot, busy in enumerate(self._slots):
            ending = busy.process.ending() if busy else None
            if busy is not None and ending is not None:
                # The slot is free before anybody hears of it: who hears may ask for more.
                self._slots[slot] = None
                self._source.ended(busy.order, ending, time.monotonic() - busy.began_s)

    def _pass_on_signals(self) -> None:
        for number in self._signals[self._passed_on :]:
            self._passed_on += 1
            for busy in self._busy():
                _ask_to_end(busy, number)
        for busy in self._busy():
            if busy.asked_s and time.monotonic() - busy.asked_s > GRACE_S:
                busy.process.kill()

    def _end_unwanted(self) -> None:
        busy = {found.order.run_id: found for found in self._busy() if not found.asked_s}
        for run_id in self._source.unwanted(busy.keys()) if busy else ():
            _ask_to_end(busy[run_id], signal.SIGTERM)

    def _end_all(self) -> None:
        """Nobody is left: there is somebody only where an error ends the sweep."""
        left = list(self._busy())
        for busy in left:
            _ask_to_end(busy, signal.SIGTERM)
        until_s = time.monotonic() + GRACE_S
        while any(busy.process.ending() is None for busy in left) and time.monotonic() < until_s:
            time.sleep(POLL_S)
        for busy in left:
            if busy.process.ending() is None:
                busy.process.kill()

    def _busy(self) -> Iterator[_Busy]:
        return (busy for busy in self._slots if busy is not None)

    @contextmanager
    def _listening(self) -> Iterator[None]:
        before = {number: signal.signal(number, self._hear) for number in _HEARD}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        del frame
        self._signals.append(number)


def _ask_to_end(busy: _Busy, number: int) -> None:
    # A terminal that is gone is no reason that a job knows.
    busy.process.ask_to_end(signal.SIGTERM if number == signal.SIGHUP else number)
    busy.asked_s = busy.asked_s or time.monotonic()
