"""Ctrl-C while MindSpore runs graphs.

Each graph call replaces the process's SIGINT handler by one that sends SIGTERM to the process, so
that Python never hears of the interrupt (MindSpore 2.7 and 2.10).
"""

from __future__ import annotations

import _thread
import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

_WAITER = "waits for interrupts"


@contextlib.contextmanager
def heard() -> Iterator[None]:
    """Interrupts reach Python's own handler, between two graph calls; nested use changes nothing.

    SIGINT is blocked here, and so in all threads that start meanwhile; one thread waits for it and
    passes it on to the main thread. A thread from before may still take the signal, and MindSpore
    then makes it a SIGTERM: so enter this before threads start and numpy is imported.
    """
    is_main_thread = threading.current_thread() is threading.main_thread()
    is_nested = any(thread.name == _WAITER for thread in threading.enumerate())
    if not is_main_thread or is_nested or not hasattr(signal, "pthread_sigmask"):
        yield
        return
    handler = signal.getsignal(signal.SIGINT)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    is_over = threading.Event()
    waiter = threading.Thread(target=_pass_on, args=(is_over,), name=_WAITER, daemon=True)
    waiter.start()
    try:
        yield
    finally:
        is_over.set()
        signal.pthread_kill(waiter.ident or 0, signal.SIGINT)
        waiter.join()
        signal.signal(signal.SIGINT, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _pass_on(is_over: threading.Event) -> None:
    while signal.sigwait({signal.SIGINT}) and not is_over.is_set():
        _thread.interrupt_main()


class Held:
    """Signals that wait to be handled until the work says that it is in order."""

    def __init__(self) -> None:
        self.handlers: dict[int, Callable[[int, FrameType | None], object]] = {}
        self._waiting: list[int] = []

    def note(self, number: int, frame: FrameType | None) -> None:
        """Handles nothing yet."""
        del frame
        self._waiting.append(number)

    def deliver(self) -> None:
        """Each signal that waits is handled now, as it would have been without this.

        Raises:
            KeyboardInterrupt: of whatever kind, from the handlers.
        """
        while self._waiting:
            number = self._waiting.pop(0)
            self.handlers[number](number, None)


@contextlib.contextmanager
def held() -> Iterator[Held]:
    """Interrupts and SIGTERM are handled where `deliver` is called, at the latest at the end.

    A handler that raises between two bytecodes could part what a graph has done from the count of
    it. Handlers that are not Python's stay as they are.
    """
    waiting = Held()
    if threading.current_thread() is not threading.main_thread():
        yield waiting
        return
    for ending in (signal.SIGINT, signal.SIGTERM):
        handler = signal.getsignal(ending)
        if callable(handler):
            waiting.handlers[ending] = handler
            signal.signal(ending, waiting.note)
    try:
        yield waiting
    finally:
        for number, before in waiting.handlers.items():
            signal.signal(number, before)
    waiting.deliver()
