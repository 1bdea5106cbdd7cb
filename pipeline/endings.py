"""Endings that do not wait for the main thread, which may sit in a collective for ever.

A signal writes a byte into a pipe at once, whatever the main thread does; a thread waits there.
MindSpore lets other threads run while it computes; while it waits for ranks to join it does
not, and then only a launcher can end the process.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable

# The step at work gets this long to end by itself; then the watcher ends the run in its place.
STEP_GRACE_S = 5.0
# Launchers kill 15 s after they asked.
ALL_GRACE_S = 13.0


class Watch:
    """Sees to it that SIGTERM ends this process in time, with its record written."""

    def __init__(self, take_over: Callable[[], object], give_up: Callable[[], object]) -> None:
        """`take_over` ends the run, `give_up` writes the least there is to write."""
        self._take_over, self._give_up = take_over, give_up
        self._unwinding, self._over = threading.Event(), threading.Event()
        self._lock = threading.Lock()
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)
        self._before = -1

    def __enter__(self) -> Watch:
        """Watches from here on."""
        self._before = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        threading.Thread(target=self._wait, name="watches for signals", daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        """The run has ended by itself."""
        self._over.set()
        signal.set_wakeup_fd(self._before)
        os.write(self._writer, b"\0")

    def unwinding(self) -> bool:
        """The main thread has heard and ends the run; False if the watcher does so already."""
        with self._lock:
            self._unwinding.set()
            return not self._over.is_set()

    def _wait(self) -> None:
        if hasattr(signal, "pthread_sigmask"):
            # A Ctrl-C that this thread took would reach MindSpore's handler (training/interrupts).
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        while not self._over.is_set():
            heard = os.read(self._reader, 1)
            if heard and heard[0] == signal.SIGTERM:
                self._see_to_it()
                return

    def _see_to_it(self) -> None:
        if not self._unwinding.wait(STEP_GRACE_S):
            with self._lock:
                is_stuck = not self._unwinding.is_set()
                if is_stuck:
                    self._over.set()
            if is_stuck:
                threading.Timer(ALL_GRACE_S - STEP_GRACE_S, self._give_up_and_exit).start()
                self._take_over()
                self._exit()
        if not self._over.wait(ALL_GRACE_S - STEP_GRACE_S):
            self._give_up_and_exit()

    def _give_up_and_exit(self) -> None:
        try:
            self._give_up()
        finally:
            self._exit()

    @staticmethod
    def _exit() -> None:
        os._exit(128 + signal.SIGTERM)
