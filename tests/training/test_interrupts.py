"""Ctrl-C reaches Python although another handler was put in its place."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest

from pipeline.training import interrupts


@interrupts.heard()
def wait_for_an_interrupt() -> None:
    """Sends SIGINT to this process in a moment, and waits."""
    threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT)).start()
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        time.sleep(0.01)


def test_an_interrupt_is_heard():
    """The usual handler runs in the main thread, and raises there."""
    with pytest.raises(KeyboardInterrupt):
        wait_for_an_interrupt()


def test_nested_use_is_heard_once():
    """An inner use neither takes over nor ends the outer one."""
    with interrupts.heard():
        with interrupts.heard():
            pass

        with pytest.raises(KeyboardInterrupt):
            wait_for_an_interrupt()


def test_everything_is_as_before_afterwards():
    """Handler and mask are restored, and the waiting thread is gone."""
    before = signal.getsignal(signal.SIGINT), signal.pthread_sigmask(signal.SIG_BLOCK, [])
    threads = threading.active_count()

    with interrupts.heard():
        pass

    assert (signal.getsignal(signal.SIGINT), signal.pthread_sigmask(signal.SIG_BLOCK, [])) == before
    assert threading.active_count() == threads


def test_outside_the_main_thread_nothing_happens():
    """A thread may train; its interrupts are the main thread's business."""
    masks: list[set[signal.Signals]] = []

    def work() -> None:
        with interrupts.heard():
            masks.append(signal.pthread_sigmask(signal.SIG_BLOCK, []))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()

    assert masks == [set()]
