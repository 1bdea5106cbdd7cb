"""Runs a command that must not outlive whoever started it: python keeper.py COMMAND ...

The starter holds the other end of standard input; when that closes, it is gone, and the command
is ended. Standard library alone, because this file is run by itself.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from types import FrameType

ORPHAN_GRACE_S = 5.0
NOT_FOUND = 127


def main() -> int:
    """Ends as the command ends, by its exit code or by its signal."""
    # Signals go to the whole group; a handler, unlike SIG_IGN, is not inherited by the command.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, _stay)
    try:
        process = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)
    except OSError as error:
        sys.stderr.write(f"{sys.argv[1]}: {error.strerror}\n")
        return NOT_FOUND
    threading.Thread(target=_watch, daemon=True).start()
    code = process.wait()
    if code < 0:
        if -code not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    return code


def _stay(number: int, frame: FrameType | None) -> None:
    """The command hears of it too, and decides when to end."""


def _watch() -> None:
    # Not through sys.stdin, whose lock the end of the process would wait for.
    while os.read(0, 1):
        pass
    os.killpg(0, signal.SIGTERM)
    time.sleep(ORPHAN_GRACE_S)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
