"""A program of the user's, run to its end: its words line by line, its exit code, its signals."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

from pipeline.processes import keeper

POLL_S = 0.2
# Of a line that is drawn over again and again, such as a progress bar, one state so often.
REDRAWN_EVERY_S = 10.0
_LONGEST_LINE = 8192
_KILLED_WAIT_S = 5.0
_INTERRUPTED_GRACE_S = 4.0

OnLine = Callable[[str], object]


def run(
    command: Sequence[str],
    *,
    folder: Path,
    environment: Mapping[str, str],
    on_line: OnLine,
    on_tick: Callable[[], object],
    stop_grace_s: Callable[[], float | None],
) -> int:
    """Runs the command in the folder; gives its exit code, negative where a signal ended it.

    `on_tick` is called some times a second. Once `stop_grace_s` gives a number, the program is
    asked to end (SIGTERM) and killed when those seconds are over. No process that it started
    outlives this call, nor this process.
    """
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", keeper.__file__, *command],
        cwd=folder,
        env={**environment, "PYTHONUNBUFFERED": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        # Ctrl-C reaches it once, through this process.
        start_new_session=True,
    )
    reader = threading.Thread(target=_read, args=(process.stdout, on_line), daemon=True)
    reader.start()
    try:
        return _wait(process, on_tick, stop_grace_s)
    except KeyboardInterrupt:
        _signal_group(process, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_INTERRUPTED_GRACE_S)
        raise
    finally:
        _end_group(process)
        # Where nobody can tell who has started whom, the pipe may stay open for ever.
        reader.join(_KILLED_WAIT_S)
        for stream in (process.stdin, process.stdout):
            if stream is not None and not (stream is process.stdout and reader.is_alive()):
                stream.close()


def _wait(
    process: subprocess.Popen[bytes],
    on_tick: Callable[[], object],
    stop_grace_s: Callable[[], float | None],
) -> int:
    deadline_s = 0.0
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.wait(POLL_S)
        on_tick()
        grace_s = stop_grace_s()
        if grace_s is not None and not deadline_s:
            deadline_s = time.monotonic() + grace_s
            _signal_group(process, signal.SIGTERM)
        if deadline_s and time.monotonic() > deadline_s:
            _end_group(process)


def _signal_group(process: subprocess.Popen[bytes], number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def _end_group(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        keeper.end_descendants(process.pid)
    _signal_group(process, signal.SIGKILL)
    process.wait()


def _read(stream: IO[bytes] | None, on_line: OnLine) -> None:
    if stream is None:
        return
    shown_s = 0.0
    for line, is_redrawn in lines_of(iter(lambda: os.read(stream.fileno(), 65536), b"")):
        now_s = time.monotonic()
        if is_redrawn and now_s - shown_s < REDRAWN_EVERY_S:
            continue
        shown_s = now_s if is_redrawn else shown_s
        on_line(line)


def lines_of(chunks: Iterator[bytes]) -> Iterator[tuple[str, bool]]:
    r"""The lines of what arrives in pieces, without empty ones; and whether a line is redrawn.

    >>> list(lines_of(iter([b"a\r\nb", b"c\r10 %\r", b"\nend"])))
    [('a', False), ('bc', True), ('10 %', False), ('end', False)]
    """
    left = b""
    for chunk in chunks:
        # What ends in a carriage return may go on with the line feed that belongs to it.
        *parts, left = re.split(rb"(\r\n|\n|\r(?!\Z|\n))", left + chunk)
        for text, end in zip(parts[::2], parts[1::2]):
            yield from _line(text, end)
        while len(left) > _LONGEST_LINE:
            yield from _line(left[:_LONGEST_LINE], b"")
            left = left[_LONGEST_LINE:]
    yield from _line(left, b"")


def _line(text: bytes, end: bytes) -> Iterator[tuple[str, bool]]:
    decoded = text.decode("utf-8", "replace").rstrip()
    if decoded:
        yield decoded, end == b"\r"
