"""Helper processes that call moxing for us, each one call at a time, and can be killed."""

from __future__ import annotations

import atexit
import contextlib
import json
import logging
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from pipeline.errors import StalledError, StorageError
from pipeline.messages.masking import MASK, mask, masked
from pipeline.storage.moxing.failures import storage_error
from pipeline.storage.moxing.movement import Watch

log = logging.getLogger(__name__)

# Importing moxing reads a large library from what may be a slow disk; but it moves.
_LONGEST_START_S = 120.0
_STALLED_START_S = 10.0
_LONGEST_ANSWER_S = 300.0
_CHUNK_BYTES = 1 << 16

# Tells how much of a call's result can be seen by now, in bytes.
Look = Callable[[], int]


def nothing_to_see() -> int:
    """The `look` of calls that leave nothing on the local disk."""
    return 0


class Helper:
    """One process that has imported moxing; after an error it is gone."""

    def __init__(self, *, where: str) -> None:
        """Starts it and waits until it has.

        `where` is the URL that it is needed for. Raises StorageError where the import fails.
        """
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("child.py")), str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # Its own group, so that what moxing starts can be ended with it.
            start_new_session=True,
        )
        self._buffer = b""
        threading.Thread(target=_log_chatter, args=(self._process.stderr,), daemon=True).start()
        with self._ending_on_error():
            # It must find the moxing that we have found.
            self._write([str(folder) for folder in sys.path])
            watch = Watch(self._process.pid, stall_s=_STALLED_START_S, longest_s=_LONGEST_START_S)
            self.is_genuine = bool(self._answer("import", where, watch, nothing_to_see)["done"])

    def ask(
        self,
        call: str,
        *arguments: Any,
        where: str,
        stall_s: float,
        longest_s: float = _LONGEST_ANSWER_S,
        look: Look = nothing_to_see,
    ) -> Iterator[Any]:
        """The items that the call answers with, then what it returns.

        `longest_s` is how long it may take to the next answer however much seems to move.

        Raises:
            StalledError: nothing has moved for `stall_s`; the process is gone.
            StorageError: moxing failed.
        """
        with self._ending_on_error():
            self._write([call, arguments])
            while True:
                watch = Watch(self._process.pid, stall_s=stall_s, longest_s=longest_s)
                answer = self._answer(call, where, watch, look)
                if "done" in answer:
                    yield answer["done"]
                    return
                yield from answer["items"]

    def _write(self, request: Any) -> None:
        pipe = _pipe(self._process.stdin)
        # That the process has died is seen where its answer is read.
        with contextlib.suppress(BrokenPipeError):
            pipe.write(json.dumps(request).encode() + b"\n")
            pipe.flush()

    def _answer(self, call: str, where: str, watch: Watch, look: Look) -> dict[str, Any]:
        """The next line of the process."""
        pipe = _pipe(self._process.stdout)
        began_s = time.monotonic()
        while b"\n" not in self._buffer:
            if _is_readable(pipe):
                chunk = os.read(pipe.fileno(), _CHUNK_BYTES)
                if not chunk:
                    raise StorageError(f"{where}: moxing's process died in {call}. {_AGAIN}")
                self._buffer += chunk
            elif watch.is_stalled(look()):
                seconds = time.monotonic() - began_s
                raise StalledError(
                    f"{where}: moxing's {call} was ended after {seconds:.1f} s because nothing "
                    f"moved any more. Check the network between here and OBS."
                )
        line, _, self._buffer = self._buffer.partition(b"\n")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise storage_error(where, answer["error"], shown(answer["text"]), answer["errno"])
        return answer

    @contextlib.contextmanager
    def _ending_on_error(self) -> Iterator[None]:
        """An answer that nobody waits for any more must not be taken for the next one."""
        is_over = False
        try:
            yield
            is_over = True
        finally:
            if not is_over:
                self.end()

    def end(self) -> None:
        """The process, and all that moxing started in it, is gone."""
        # It has not been waited for, so that its number cannot be another's.
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=5)
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(BrokenPipeError):
                _pipe(pipe).close()

    @property
    def has_ended(self) -> bool:
        """Whether it can be asked no more."""
        return self._process.returncode is not None


_AGAIN = "The same command tries again; moxing's own words are in the log at level DEBUG."
_TICK_S = 0.1


def _is_readable(pipe: IO[bytes]) -> bool:
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        return bool(selector.select(timeout=_TICK_S))


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise StorageError("moxing's process was started without pipes; report this.")
    return pipe


def _log_chatter(pipe: IO[bytes]) -> None:
    """What moxing prints goes to the log, until the process ends."""
    with pipe:
        for line in pipe:
            log.debug("moxing: %s", shown(line.decode("utf-8", "replace").rstrip()))


def shown(text: str) -> str:
    """Text from moxing without any credential that this process knows of."""
    for name, value in os.environ.items():
        if len(value) >= 8 and masked(value, name) == MASK:
            text = text.replace(value, MASK)
    return mask(text)


class Helpers:
    """The helpers of this process, which live as long as it does and are used by all storages."""

    def __init__(self) -> None:
        self._idle: list[Helper] = []
        self._lock = threading.Lock()
        atexit.register(self.end)

    @contextlib.contextmanager
    def one(self, *, where: str) -> Iterator[Helper]:
        """A helper that nobody else uses meanwhile."""
        with self._lock:
            helper = self._idle.pop() if self._idle else None
        helper = helper or Helper(where=where)
        try:
            yield helper
        finally:
            if not helper.has_ended:
                self.keep(helper)

    def keep(self, helper: Helper) -> None:
        """The helper waits for work."""
        with self._lock:
            self._idle.append(helper)

    def ask(self, call: str, *arguments: Any, **limits: Any) -> Sequence[Any]:
        """All that one call answers; its limits are those of `Helper.ask`."""
        with self.one(where=limits["where"]) as helper:
            return list(helper.ask(call, *arguments, **limits))

    def end(self) -> None:
        """No helper that waits for work is left."""
        with self._lock:
            idle, self._idle = self._idle, []
        for helper in idle:
            helper.end()


helpers = Helpers()
