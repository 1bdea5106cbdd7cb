"""train: the network has learnt for the job's epochs, and its states are saved."""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.context import Context
from pipeline.disk import jsonlines
from pipeline.disk.files import write_atomically
from pipeline.inputs.wanted import Checkpoint, Wanted, at_hand
from pipeline.job.job import Job
from pipeline.messages.console import counted, human_seconds
from pipeline.stage import Outlook, stage
from pipeline.training import checkpoints
from pipeline.training.plan import EarlyStopping, Plan, Row

if TYPE_CHECKING:
    from pipeline.training.session import Session

log = logging.getLogger(__name__)

_METRICS = "metrics.jsonl"


def look(context: Context) -> Outlook:
    """Tells from the checkpoints how far training has come."""
    mode, folder, name = context.job.mode, _folder(context), context.job.model.name
    epochs, plan = mode.epochs or 0, _plan(context.job)
    rows = checkpoints.rows(folder, name, last_epoch=mode.epochs)
    path = checkpoints.finished(folder, name, epochs, plan)
    if path is None or context.here.has_company:
        # Ranks on other machines cannot see these files: all go through training together.
        done = f", {len(rows)} of them done" if rows else ""
        return Outlook(
            f"would train {counted(epochs, 'epoch')} of batches of {mode.batch_size}{done}"
        )
    if _written(context) != _lines(rows):
        return Outlook("would complete metrics.jsonl")
    if not checkpoints.has_true_index(folder, name, monitored=plan.monitored):
        return Outlook("would write the index of the checkpoints")
    if (folder / checkpoints.STATE_NAME).exists():
        return Outlook("would remove the state from within the last epoch")
    products = {"checkpoint": _checkpoint(path)}
    return Outlook(f"{counted(len(rows), 'epoch')} done", "done", products, *_results(rows))


@stage(
    look=look,
    makes=("checkpoint",),
    runs_on="every",
    keys=("mode.epochs", "mode.learning_rate", "mode.momentum"),
)
def train(context: Context, session: Session, checkpoint: Checkpoint | None = None) -> Checkpoint:
    """Trains from the newest good state on; every epoch is saved before it is counted.

    Where there is none, that is the checkpoint with `mode.resume`.
    """
    from pipeline.training import interrupts, loop

    name, folder, epochs = context.job.model.name, _folder(context), context.job.mode.epochs or 0
    here, plan = context.here, _plan(context.job)
    rows = checkpoints.rows(folder, name, last_epoch=epochs) if here.is_first else []
    if here.is_first:
        _begin_record(context, rows)
    work = float(len(session.train or ()) * (epochs - len(rows)))
    # Heard from before the thread starts that draws the progress: it must not take a Ctrl-C.
    with (
        interrupts.heard(),
        context.stop.asked_for(),
        context.progress("train", work, "samples") as advance,
    ):
        path = loop.train(
            session,
            folder,
            name,
            epochs=epochs,
            progress=advance,
            record=lambda row: _record(context, row, rows),
            saved=context.saved,
            pruned=context.pruned,
            should_stop=context.stop.wanted_by,
            compiling=_compiling(context),
            rank=here.rank,
            size=here.size,
            plan=plan,
            start_from=checkpoint.path if checkpoint and context.job.mode.resume else None,
            measure=lambda: _measure(session),
        )
    if not here.is_first:
        return Checkpoint(path, "", "this training, on the first rank's machine")
    _summarise(context, rows)
    return _checkpoint(path)


def _compiling(context: Context) -> Callable[[], contextlib.AbstractContextManager[object]]:
    """An ending need not wait; a rank that ended alone would leave the others waiting for it."""
    return context.stop.at_rest if context.here.size == 1 else contextlib.nullcontext


def _plan(job: Job) -> Plan:
    mode, stopping = job.mode, job.mode.early_stopping
    return Plan(
        steps_per_graph=job.device.steps_per_graph,
        data_sink=job.device.data_sink,
        keep_checkpoints=mode.keep_checkpoints,
        checkpoint_every_s=mode.checkpoint_every_s,
        evaluate_every=mode.evaluate_every,
        early_stopping=EarlyStopping(**stopping.model_dump()) if stopping else None,
    )


def _measure(session: Session) -> dict[str, float]:
    """The metrics of the test split with the weights as they are now."""
    from pipeline.training import evaluation

    found = evaluation.evaluate(session)
    return {"accuracy": found.accuracy, "loss": found.loss, **found.metrics}


def _begin_record(context: Context, rows: list[Row]) -> None:
    write_atomically(context.folder / _METRICS, _lines(rows))
    if context.board is not None:
        context.board.begin(rows)


def _record(context: Context, row: Row, rows: list[Row]) -> None:
    rows.append(row)
    jsonlines.append(context.folder / _METRICS, row)
    if context.board is not None:
        context.board.add(row)
    context.event("epoch", **row)
    log.debug("epoch %d: loss %.4f, accuracy %.4f", row["epoch"], row["loss"], row["accuracy"])


def _summarise(context: Context, rows: list[Row]) -> None:
    last, (facts, metrics) = rows[-1], _results(rows)
    context.record(**facts)
    context.measured(metrics)
    log.info(
        "trained %s in %s: loss %.4f, accuracy %.4f on the training batches",
        counted(last["epoch"], "epoch"),
        human_seconds(sum(row.get("seconds", 0.0) for row in rows)),
        last["loss"],
        last["accuracy"],
    )


def _results(rows: list[Row]) -> tuple[dict[str, int], dict[str, float]]:
    """The facts and the metrics of a finished training."""
    last = rows[-1]
    facts = {"epochs": int(last["epoch"]), "steps": int(last["step"])}
    return facts, {"train_loss": last["loss"], "train_accuracy": last["accuracy"]}


def _folder(context: Context) -> Path:
    return context.folder / "checkpoints"


def _checkpoint(path: Path) -> Checkpoint:
    return at_hand(Wanted("this training", path=path), path)


def _lines(rows: list[Row]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _written(context: Context) -> str:
    path = context.folder / _METRICS
    return path.read_text(encoding="utf-8") if path.is_file() else ""
