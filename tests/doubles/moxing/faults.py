"""What this double is told to do wrong, counted over all processes that use it."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any


def root() -> Path:
    """The folder of the buckets."""
    return Path(os.environ["MOXING_DOUBLE_ROOT"])


def setting(name: str, default: Any = None) -> Any:
    """What the control says about one name."""
    control = root() / ".faults.json"
    text = control.read_text() if control.exists() else os.environ.get("MOXING_DOUBLE_FAULTS", "")
    return json.loads(text or "{}").get(name, default)


def is_due(fault: str) -> bool:
    """Whether the fault happens now; each time that it does is one less to come."""
    times = setting(fault, 0)
    if times == 0:
        return False
    with (root() / ".happened").open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        happened = file.read().split().count(fault)
        if 0 <= times <= happened:
            return False
        file.write(f"{fault}\n")
    return True


def note(call: str, source: str, target: str = "") -> None:
    """Another line in `.calls`, and noise where it is asked for."""
    with (root() / ".calls").open("a") as file:
        file.write(json.dumps([call, source, target]) + "\n")
    if setting("chatter"):
        print(f"INFO:root:{call} {source} {target} " + '{"done": "nonsense"}')  # noqa: T201
        os.write(1, b'{"error": ["Noise"], "text": "not an answer"}\n')


def hang() -> None:
    """Never returns."""
    if setting("child"):
        # As what copies large files in processes does.
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        (root() / ".child").write_text(str(child.pid))
    while True:
        time.sleep(0.05)
