"""The queue, with an engine of this process whose jobs end when they are told."""

from __future__ import annotations

import os
import signal
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pipeline.commands.sweeping.engines.protocol import Ending, Order
from pipeline.commands.sweeping.scheduling import Scheduler


def order(name: str) -> Order:
    """A job of this name."""
    return Order(name, Path(name), Path(f"{name}.json"), Path(f"{name}.log"))


@dataclass
class Job:
    """A job that ends after it was looked at so many times, or when it is asked to."""

    name: str
    looks: int = 1
    code: int = 0
    asked: list[int] = field(default_factory=list)
    is_killed: bool = False

    def ending(self) -> Ending | None:
        """How it ended."""
        self.looks -= 1
        if self.is_killed:
            return Ending(-signal.SIGKILL)
        if self.asked:
            return Ending(128 + self.asked[0])
        return Ending(self.code) if self.looks < 0 else None

    def ask_to_end(self, number: int) -> None:
        """It hears the signal."""
        self.asked.append(number)

    def kill(self) -> None:
        """It ends now."""
        self.is_killed = True


class Place:
    """An engine that remembers what was started where."""

    def __init__(self, *jobs: Job) -> None:
        self.jobs = {job.name: job for job in jobs}
        self.started: list[tuple[str, int]] = []
        self.is_closed = False

    def start(self, order: Order, slot: int) -> Job:
        """The job is at work."""
        self.started.append((order.run_id, slot))
        return self.jobs[order.run_id]

    def close(self) -> None:
        """No more."""
        self.is_closed = True


class Names:
    """A source of these jobs, which hears how each ended."""

    def __init__(self, *names: str, unwanted: Collection[str] = ()) -> None:
        self.waiting, self.not_wanted = [*names], unwanted
        self.endings: dict[str, int] = {}
        self.most_at_work = 0

    def ask(self) -> Order | None:
        """The next."""
        return order(self.waiting.pop(0)) if self.waiting else None

    def unwanted(self, at_work: Collection[str]) -> Collection[str]:
        """Those that were named."""
        self.most_at_work = max(self.most_at_work, len(at_work))
        return [name for name in at_work if name in self.not_wanted]

    def ended(self, order: Order, ending: Ending, seconds: float) -> None:
        """One has ended."""
        assert seconds >= 0
        self.endings[order.run_id] = ending.exit_code


def test_every_job_gets_a_free_slot() -> None:
    """So many at a time as there are slots, and the slot of one that ended is the next one's."""
    source = Names("a", "b", "c")
    place = Place(Job("a", looks=4), Job("b", code=3), Job("c", code=-9))

    assert Scheduler(source, place, slots=2).run() == 0

    assert place.started == [("a", 0), ("b", 1), ("c", 1)]
    assert source.endings == {"a": 0, "b": 3, "c": -9}
    assert source.most_at_work == 2
    assert place.is_closed


def test_a_source_may_decide_by_what_has_ended() -> None:
    """It is asked again after each ending, also where it had nothing before."""

    class Chain(Names):
        def ended(self, order: Order, ending: Ending, seconds: float) -> None:
            super().ended(order, ending, seconds)
            if order.run_id == "a":
                self.waiting += ["b"]

    source = Chain("a")

    Scheduler(source, Place(Job("a"), Job("b")), slots=2).run()

    assert list(source.endings) == ["a", "b"]


def test_a_job_that_is_wanted_no_more_is_asked_once() -> None:
    """It hears SIGTERM, and the others go on."""
    source = Names("a", "b", unwanted=["a"])
    place = Place(Job("a", looks=1000), Job("b"))

    assert Scheduler(source, place, slots=2).run() == 0

    assert place.jobs["a"].asked == [signal.SIGTERM]
    assert source.endings == {"a": 143, "b": 0}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_passed_on(number: int) -> None:
    """What is at work hears it, what waits is not started, and the handler is as it was."""

    class Signalling(Names):
        def unwanted(self, at_work: Collection[str]) -> Collection[str]:
            if not self.endings:
                os.kill(os.getpid(), number)
            return super().unwanted(at_work)

    source, before = Signalling("a", "b"), signal.getsignal(number)
    place = Place(Job("a", looks=1000), Job("b"))

    assert Scheduler(source, place, slots=1).run() == number

    assert place.jobs["a"].asked[0] == number
    assert source.waiting == ["b"]
    assert signal.getsignal(number) == before


def test_an_error_leaves_nobody_behind() -> None:
    """Where the record cannot be written, what is at work is asked to end before that is told."""

    class Full(Names):
        def ended(self, order: Order, ending: Ending, seconds: float) -> None:
            super().ended(order, ending, seconds)
            raise OSError(order.run_id)

    place = Place(Job("a"), Job("b", looks=1000))

    with pytest.raises(OSError, match="a"):
        Scheduler(Full("a", "b"), place, slots=2).run()

    assert place.jobs["b"].asked == [signal.SIGTERM]
    assert not place.jobs["b"].is_killed
    assert place.is_closed
