"""train: the network has learnt for the job's epochs, and its states are saved."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline import pretrained
from pipeline.console import human_seconds
from pipeline.context import Context
from pipeline.files import append_json_line, write_atomically
from pipeline.pretrained import Checkpoint, Wanted
from pipeline.stage import Outlook, stage
from pipeline.training import checkpoints
from pipeline.training.checkpoints import Row

if TYPE_CHECKING:
    from pipeline.training.session import Session

log = logging.getLogger(__name__)

_METRICS = "metrics.jsonl"


def look(context: Context) -> Outlook:
    """Tells from the checkpoints how far training has come."""
    mode, folder = context.job.mode, _folder(context)
    rows = checkpoints.rows(folder, context.job.model.name, last_epoch=mode.epochs)
    if len(rows) < (mode.epochs or 0):
        done = f", {len(rows)} of them done" if rows else ""
        return Outlook(f"would train {mode.epochs} epochs of batches of {mode.batch_size}{done}")
    if _metric_lines(context) != len(rows):
        return Outlook("would complete metrics.jsonl")
    path = folder / f"{context.job.model.name}-{mode.epochs}.ckpt"
    return Outlook(f"{mode.epochs} epochs done", "done", {"checkpoint": _checkpoint(path)})


@stage(
    look=look,
    makes=("checkpoint",),
    runs_on="every",
    keys=("mode.epochs", "mode.learning_rate", "mode.momentum"),
)
def train(context: Context, session: Session) -> Checkpoint:
    """Trains from the newest good state on; every epoch is saved before it is counted."""
    from pipeline.training import loop

    mode, name, folder = context.job.mode, context.job.model.name, _folder(context)
    epochs = mode.epochs or 0
    rows = checkpoints.rows(folder, name, last_epoch=epochs)
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    write_atomically(context.folder / _METRICS, lines)
    samples = len(session.train) if session.train is not None else 0
    with context.progress("train", float(samples * (epochs - len(rows))), "samples") as advance:
        path = loop.train(
            session,
            folder,
            name,
            epochs=epochs,
            progress=advance,
            record=lambda row: _record(context, row, rows),
            saved=lambda saved: context.event("saved", path=saved.name),
        )
    _summarise(context, rows)
    return _checkpoint(path)


def _record(context: Context, row: Row, rows: list[Row]) -> None:
    rows.append(row)
    append_json_line(context.folder / _METRICS, row)
    context.event("epoch", **row)
    log.debug("epoch %d: loss %.4f, accuracy %.4f", row["epoch"], row["loss"], row["accuracy"])


def _summarise(context: Context, rows: list[Row]) -> None:
    last = rows[-1]
    context.measured({"train_loss": last["loss"], "train_accuracy": last["accuracy"]})
    context.record(epochs=int(last["epoch"]), steps=int(last["step"]))
    spent_s = sum(row["seconds"] for row in rows)
    log.info(
        "trained %d epochs in %s: loss %.4f, accuracy %.4f on the training batches",
        last["epoch"],
        human_seconds(spent_s),
        last["loss"],
        last["accuracy"],
    )


def _folder(context: Context) -> Path:
    return context.folder / "checkpoints"


def _checkpoint(path: Path) -> Checkpoint:
    return pretrained.at_hand(Wanted("this training", path=path), path)


def _metric_lines(context: Context) -> int:
    path = context.folder / _METRICS
    return path.read_text(encoding="utf-8").count("\n") if path.is_file() else 0
