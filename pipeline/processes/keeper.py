"""Runs a command that must not outlive whoever started it: python keeper.py COMMAND ...

The starter holds the other end of standard input; when that closes, it is gone, and the command
is ended. Standard library alone, because this file is run by itself.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import FrameType

ORPHAN_GRACE_S = 5.0
NOT_FOUND = 127
# Of Linux: whose parent has ended becomes a child of this process, not of the first of all.
_SET_CHILD_SUBREAPER = 36


def main() -> int:
    """Ends as the command ends, by its exit code or by its signal; nothing it started stays."""
    # Signals go to the whole group; a handler, unlike SIG_IGN, is not inherited by the command.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, _stay)
    _adopt_orphans()
    try:
        process = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)
    except OSError as error:
        sys.stderr.write(f"{sys.argv[1]}: {error.strerror}\n")
        return NOT_FOUND
    threading.Thread(target=_watch, daemon=True).start()
    code = process.wait()
    end_descendants(os.getpid())
    if code < 0:
        if -code not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    return code


def end_descendants(pid: int) -> None:
    """What this process has started is killed, in whichever group or session it is.

    As far as that can be told, which is on Linux.
    """
    ended: set[int] = set()
    # What is started meanwhile is found by looking again.
    while new := _descendants(pid) - ended:
        for found in new:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(found, signal.SIGKILL)
        ended |= new


def _descendants(pid: int) -> set[int]:
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # The name, in brackets, may hold anything.
            parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
    found: set[int] = set()
    newest = {pid}
    while newest:
        newest = {child for child, parent in parents.items() if parent in newest} - found
        found |= newest
    return found


def _adopt_orphans() -> None:
    # Some builds of Python lack ctypes, and other systems this call.
    with contextlib.suppress(ImportError, OSError, AttributeError):
        import ctypes

        ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _stay(number: int, frame: FrameType | None) -> None:
    """The command hears of it too, and decides when to end."""


def _watch() -> None:
    # Not through sys.stdin, whose lock the end of the process would wait for.
    while os.read(0, 1):
        pass
    os.killpg(0, signal.SIGTERM)
    time.sleep(ORPHAN_GRACE_S)
    end_descendants(os.getpid())
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
