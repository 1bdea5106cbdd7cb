"""Endings that do not wait for the main thread, which may sit in a collective for ever.

A signal writes a byte into a pipe at once, whatever the main thread does; a thread waits there.
MindSpore lets other threads run while it computes; while it waits for ranks to join it does
not, and then only a launcher can end the process.
"""

from __future__ import annotations

import math
import os
import select
import signal
import threading
import time
from collections.abc import Callable

from pipeline import errors
from pipeline.processes.stopping import EXIT_CODES, Stop

# The step at work gets this long to end by itself; then the watcher ends the run in its place.
# Where next to nothing would be lost it does so at once.
STEP_GRACE_S = 5.0
# Launchers kill 15 s after they asked.
ALL_GRACE_S = 13.0


class Watch:
    """Sees to it that a signal ends this process in time, with its record written."""

    def __init__(
        self, take_over: Callable[[], object], give_up: Callable[[], object], stop: Stop
    ) -> None:
        """`take_over` ends the run, `give_up` writes the least there is to write."""
        self._take_over, self._give_up, self._stop = take_over, give_up, stop
        self._unwinding, self._over = threading.Event(), threading.Event()
        self._lock = threading.Lock()
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)
        self._before = -1
        self._exit_code = errors.TERMINATED
        self._step_ends_s = self._ends_s = math.inf

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
            number = self._next_signal()
            if number:
                self._hear(number)
            now_s = time.monotonic()
            if now_s >= self._step_ends_s and not self._unwinding.is_set():
                self._end_in_its_place()
            if now_s >= self._ends_s and not self._over.is_set():
                self._give_up_and_exit()

    def _next_signal(self) -> int:
        """The next signal that ends processes; 0 if none comes before something is to be done."""
        step_ends_s = math.inf if self._unwinding.is_set() else self._step_ends_s
        until_s = min(step_ends_s, self._ends_s)
        timeout_s = None if math.isinf(until_s) else max(0.0, until_s - time.monotonic())
        is_heard = bool(select.select([self._reader], [], [], timeout_s)[0])
        number = os.read(self._reader, 1)[0] if is_heard else 0
        return number if number in EXIT_CODES else 0

    def _hear(self, number: int) -> None:
        """A later signal may leave less time than the first, never more."""
        is_first = math.isinf(self._ends_s)
        self._stop.note(number)
        if is_first:
            self._exit_code = EXIT_CODES[signal.Signals(number)]
        spare_s = self._stop.spare_s(number)
        grace_s = 0.0 if self._stop.is_at_rest else STEP_GRACE_S
        now_s = time.monotonic()
        self._step_ends_s = min(self._step_ends_s, now_s + max(grace_s, spare_s / 2))
        self._ends_s = min(self._ends_s, now_s + max(ALL_GRACE_S, spare_s))

    def _end_in_its_place(self) -> None:
        with self._lock:
            if self._unwinding.is_set():
                return
            self._over.set()
            self._stop.is_taken_over = True
        threading.Timer(self._ends_s - time.monotonic(), self._give_up_and_exit).start()
        self._take_over()
        self._exit()

    def _give_up_and_exit(self) -> None:
        try:
            self._give_up()
        finally:
            self._exit()

    def _exit(self) -> None:
        os._exit(self._exit_code)
