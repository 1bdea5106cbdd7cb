"""Fixtures that tests of several modules share."""

from __future__ import annotations

import faulthandler
import logging
import os
import signal
import sys
from collections.abc import Iterator
from types import FrameType

import pytest
from hypothesis import HealthCheck, settings

from tests.jobs import without_asking_hydra_again

# How long an example takes says more about who else uses the machine than about the code.
settings.register_profile("steady", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")

# A shell's background job starts with Ctrl-C ignored, and what a test starts would inherit it.
signal.signal(signal.SIGINT, signal.default_int_handler)


def _end_with_a_trace(number: int, frame: FrameType | None) -> None:
    """A signal that no test expects ends this process, which says where it was."""
    del frame
    faulthandler.dump_traceback(sys.__stderr__)
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


for _number in (signal.SIGTERM, signal.SIGALRM):
    signal.signal(_number, _end_with_a_trace)


@pytest.fixture(scope="module")
def quick_jobs() -> Iterator[None]:
    """Jobs compose in milliseconds, and what a --config-dir adds to sys.path is taken away."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(sys, "path", list(sys.path))
        without_asking_hydra_again(monkeypatch)
        yield


@pytest.fixture
def signals_as_they_were() -> Iterator[None]:
    """A command line that is called in this process leaves no handler behind."""
    handler = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, handler)


@pytest.fixture(autouse=True)
def _interrupts_reach_python() -> None:
    """A graph that an earlier test has run leaves a handler that makes SIGINT a SIGTERM."""
    signal.signal(signal.SIGINT, signal.getsignal(signal.SIGINT))


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    """A job that a test starts in this process leaves no handler and no level behind."""
    house = logging.getLogger("pipeline")
    before = (house.level, house.propagate, list(house.handlers))
    yield
    for handler in set(house.handlers) - set(before[2]):
        handler.close()
    house.level, house.propagate, house.handlers = before
