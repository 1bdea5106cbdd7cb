"""read: some batches of each split came through as they would in training; nothing is learnt."""

from __future__ import annotations

import logging
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.context import Context
from pipeline.inputs import loading
from pipeline.stage import Outlook, stage

if TYPE_CHECKING:
    from pipeline.training.reading import Reading

log = logging.getLogger(__name__)

_SPLITS = ("train", "test")
_FOLDER = "pipelines"


def look(context: Context) -> Outlook:
    """Done when the record says so; a run of other inputs is another run."""
    if context.earlier("read") is not None:
        return Outlook("read already", "done")
    mode = context.job.mode
    return Outlook(f"would read {mode.batches} x {mode.batch_size} samples of each split")


@stage(
    look=look,
    runs_on="first",
    keys=("dataset.loader", "mode.batch_size", "mode.batches"),
    libraries=("mindspore",),
)
def read(context: Context, folders: tuple[Path, ...]) -> None:
    """Reads each split, and leaves a stream's pipeline behind as MindSpore's own JSON."""
    from pipeline.training import device, interrupts

    for name, value in context.job.device.env.items():
        os.environ.setdefault(name, value)
    with interrupts.heard():
        # Whatever trains later, it is the processor that reads.
        device.prepare("CPU", precision="O0", seed=context.job.seed, scratch=context.scratch)
        found = {split: _read(context, folders, split) for split in _SPLITS}
    context.record(**{split: asdict(reading) for split, reading in found.items()})


def _read(context: Context, folders: tuple[Path, ...], split: str) -> Reading:
    from pipeline.training import reading

    job, data = context.job, loading.load(context.job, folders, split)
    batch_size, batches = job.mode.batch_size or 1, job.mode.batches or 1
    expected = float(min(len(data), batch_size * batches))
    with context.progress(f"read {split}", expected, "samples") as advance:
        found = reading.read(
            data,
            batch_size=batch_size,
            batches=batches,
            seed=job.seed if split == "train" else None,
            description=context.folder / _FOLDER / f"{split}.json",
            progress=advance,
        )
    numbers = (found.read, found.samples, split, found.seconds)
    log.info("read %d of %d samples of %s in %.1f s", *numbers)
    return found
