"""A stage for sweeps, whose jobs do what files say that a test has written for them."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

from pipeline.context import Context
from pipeline.stage import Outlook, stage

FOLDER = "MINDRUN_TEST_ACTS"
_LONGEST_S = 60


def _would_act(context: Context) -> Outlook:
    is_done = (context.folder / "acted.txt").is_file()
    metrics = {"accuracy": 1 / context.job.seed}
    return Outlook("acted", "done", metrics=metrics) if is_done else Outlook("would act")


@stage(look=_would_act)
def act(context: Context) -> None:
    """Does what the file named like the seed says, and counts how often it was begun."""
    folder, seed = Path(os.environ[FOLDER]), context.job.seed
    with (folder / f"begun-{seed}").open("a", encoding="utf-8") as file:
        file.write(f"{os.getpid()}\n")
    told = folder / f"{seed}"
    _do(told.read_text(encoding="utf-8") if told.is_file() else "", folder)
    (context.folder / "acted.txt").write_text("done", encoding="utf-8")
    context.measured({"accuracy": 1 / seed})


def _do(what: str, folder: Path) -> None:
    if what == "raise":
        raise KeyError("nobody")
    if what == "exit":
        sys.exit(0)
    if what == "vanish":
        os._exit(0)
    if what == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    until_s = time.monotonic() + _LONGEST_S
    while what == "wait" and not (folder / "go").exists() and time.monotonic() < until_s:
        time.sleep(0.05)
