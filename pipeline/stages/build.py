"""build: data, network, optimizer and weights are in memory; MindSpore is imported here first."""

from __future__ import annotations

import functools
import logging
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline import gathering
from pipeline.context import Context
from pipeline.inputs import loading
from pipeline.inputs.wanted import Checkpoint
from pipeline.job import component
from pipeline.job.job import Job
from pipeline.job.manners import call_at, make
from pipeline.stage import AlreadyDone, Outlook, stage

if TYPE_CHECKING:
    from pipeline.training.learning import Recipe
    from pipeline.training.session import Session

log = logging.getLogger(__name__)


def look(context: Context) -> Outlook:
    """There is never a session from before."""
    job = context.job
    return Outlook(f"would build {job.model.name} on {job.device.target}, with {job.dataset.name}")


@stage(
    look=look,
    makes=("session",),
    runs_on="every",
    keys=("dataset.loader", "mode.batch_size"),
    libraries=("mindspore",),
    is_preparation=True,
)
def build(
    context: Context, folders: tuple[Path, ...], checkpoint: Checkpoint | None = None
) -> Session:
    """The session, with the checkpoint's weights where there is one; a state is for train."""
    from pipeline.training import interrupts

    started = time.monotonic()
    for name, value in context.job.device.env.items():
        os.environ.setdefault(name, value)
    # Heard from before numpy and MindSpore start their threads: none of them may take a Ctrl-C.
    with interrupts.heard():
        built = _build(context, folders)
        if checkpoint is not None and context.job.mode.resume is None:
            _load_weights(context, built, checkpoint)
    log.info("built %s in %.1f s", context.job.model.name, time.monotonic() - started)
    return built


def _build(context: Context, folders: tuple[Path, ...]) -> Session:
    job = context.job
    if not gathering.has_work(context):
        raise AlreadyDone
    # It imports MindSpore, which nothing may interrupt; that is ready by now.
    from pipeline.training import session

    # A mode that has epochs trains; the others need no training set.
    trains = job.mode.epochs is not None
    return session.build(
        network=component.build(job.model.network.target, **job.model.network.arguments),
        recipe=_recipe(job),
        epochs=job.mode.epochs or 1,
        ranks=context.here.size,
        train=loading.load(job, folders, "train") if trains else None,
        test=loading.load(job, folders, "test"),
        learning_rate=job.mode.learning_rate or 0.0,
        momentum=job.mode.momentum or 0.0,
        batch_size=job.mode.batch_size or 1,
        seed=job.seed,
        precision=job.device.precision,
        accumulation=job.mode.gradient_accumulation,
    )


def _load_weights(context: Context, built: Session, checkpoint: Checkpoint) -> None:
    from pipeline.training.session import load_weights

    # A network that is only measured has no use for weights that nobody has trained.
    if context.job.mode.epochs is None:
        load_weights(built, checkpoint.path)
    elif context.job.mode.strict:
        remedy = "to train on from what fits write mode.strict=false"
        load_weights(built, checkpoint.path, remedy=remedy)
    else:
        context.record(left_out=load_weights(built, checkpoint.path, strict=False))


def _recipe(job: Job) -> Recipe:
    from pipeline.training.learning import Recipe

    makers = {
        key: functools.partial(make, call_at(key, part.target, part.arguments))
        for key, part in job.components.items()
    }
    learning = {"optimizer", "schedule", "loss"}
    return Recipe(
        **{name: makers[f"mode.{name}"] for name in learning if f"mode.{name}" in makers},
        metrics={name: makers[f"mode.metrics.{name}"] for name in job.mode.metrics},
    )
