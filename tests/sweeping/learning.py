"""A stage for searches: learns nothing, and writes a table of epochs as a training would."""

from __future__ import annotations

import os
import time
from pathlib import Path

from pipeline.context import Context
from pipeline.disk import jsonlines
from pipeline.stage import Outlook, stage
from tests.sweeping.acting import FOLDER

_LONGEST_S = 60


def _would_learn(context: Context) -> Outlook:
    is_done = (context.folder / "learned.txt").is_file()
    metrics = {"accuracy": _accuracy(context)}
    return Outlook("learned", "done", metrics=metrics) if is_done else Outlook("would learn")


@stage(look=_would_learn)
def learn(context: Context) -> None:
    """The accuracy is best at a momentum of 0.75; files of a test say what happens besides."""
    folder, mode = Path(os.environ[FOLDER]), context.job.mode
    with (folder / "begun").open("a", encoding="utf-8") as file:
        file.write(f"{os.getpid()} {context.job.run_id}\n")
    if mode.batch_size == 13:
        raise KeyError("nobody")
    is_bad = _accuracy(context) < 0.5 and (folder / "wait-if-bad").exists()
    for epoch in range(1, (mode.epochs or 1) + 1):
        row = {"epoch": epoch, "accuracy": _accuracy(context)}
        jsonlines.append(context.folder / "metrics.jsonl", row)
        if epoch == 2 and is_bad:
            _wait(folder / "go")
    if (folder / "wait").exists():
        _wait(folder / "go")
    (context.folder / "learned.txt").write_text("done", encoding="utf-8")
    context.measured({"accuracy": _accuracy(context)})


def _accuracy(context: Context) -> float:
    return 1 - abs((context.job.mode.momentum or 0) - 0.75)


def _wait(go: Path) -> None:
    until_s = time.monotonic() + _LONGEST_S
    while not go.exists() and time.monotonic() < until_s:
        time.sleep(0.05)
