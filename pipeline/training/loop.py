"""The training loop: epochs of steps, a checkpoint after each, and the way back into them."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mindspore import Parameter, Tensor

from pipeline.data import Arrays
from pipeline.errors import TrainingError
from pipeline.training import checkpoints, denormals, interrupts, order, parameters
from pipeline.training.checkpoints import Progress, Row, Saved
from pipeline.training.device import engine
from pipeline.training.session import Session, explaining_shapes
from pipeline.training.step import TrainStep

log = logging.getLogger(__name__)

# Losses stay on the device in between; a NaN is noticed at most this many steps late.
_STEPS_BETWEEN_READS = 20
# These belong to the job: what it says now holds, not what a checkpoint remembers.
_SETTINGS = ("learning_rate", "momentum")


@interrupts.heard()
@denormals.flushed()
def train(
    session: Session,
    folder: Path,
    name: str,
    *,
    epochs: int,
    progress: Callable[[int], object],
    record: Callable[[Row], object],
    saved: Callable[[Path], object],
) -> Path:
    """The checkpoint of epoch `epochs`, trained from the newest good one in the folder.

    `progress` hears of samples worked through, `record` of each new epoch's row (for the rows
    before, see `checkpoints.rows`), `saved` of every file once it is whole. An interrupt may come
    between any two steps; the next call goes on from the last epoch saved.

    Raises:
        TrainingError: the loss became NaN or infinite, or there is nothing to train on.
        CheckpointError: the newest good checkpoint does not fit this session.
        DatasetError: the network cannot work on the data.
        DiskFullError: no space is left for a checkpoint.
    """
    folder.mkdir(parents=True, exist_ok=True)
    checkpoints.remove_unfinished(folder, name)
    newest = checkpoints.newest_good(folder, name, last_epoch=epochs)
    rows = list(newest.progress.rows) if newest else []
    if newest:
        _resume(session, newest)
    if newest and newest.progress.epoch == epochs:
        return newest.path
    run = _Run.start(session, newest)
    for epoch in range(len(rows) + 1, epochs + 1):
        rows.append(run.epoch(epoch, progress))
        run.newest = _save(session, folder, name, rows)
        record(rows[-1])
        for path in (run.newest.path, run.newest.record_path, folder / checkpoints.INDEX_NAME):
            saved(path)
    return folder / f"{name}-{epochs}.ckpt"


@dataclass
class _Run:
    """A compiled step and where it stands."""

    session: Session
    data: Arrays
    cell: TrainStep
    step: int
    newest: Saved | None

    @classmethod
    def start(cls, session: Session, newest: Saved | None) -> _Run:
        """The step, compiled."""
        if session.train is None or session.optimizer is None:
            raise TrainingError(
                "the session has no training data; expected some. Build it with a train split."
            )
        started = time.perf_counter()
        cell = TrainStep(session, session.optimizer, session.train)
        size = min(session.batch_size, len(session.train))
        with explaining_shapes(session, session.train):
            cell.compile(Tensor(order.permutation(size, seed=0, epoch=0)))
        log.info("compiled the training step in %.1f s", time.perf_counter() - started)
        step = newest.progress.step if newest else 0
        return cls(session, session.train, cell, step, newest)

    def epoch(self, epoch: int, progress: Callable[[int], object]) -> Row:
        """Every step of the epoch is done; its row."""
        started = time.perf_counter()
        size, seed = self.session.batch_size, self.session.seed
        batches = list(order.batches(len(self.data), size, seed=seed, epoch=epoch))
        losses: list[float] = []
        right = 0
        for first in range(0, len(batches), _STEPS_BETWEEN_READS):
            chunk = batches[first : first + _STEPS_BETWEEN_READS]
            results = [self.cell(Tensor(batch)) for batch in chunk]
            losses += [
                self._finite(float(loss), epoch, i) for i, (loss, _) in enumerate(results, 1)
            ]
            right += sum(int(count) for _, count in results)
            self.step += len(chunk)
            progress(sum(len(batch) for batch in chunk))
        seconds = time.perf_counter() - started
        samples = sum(len(batch) for batch in batches)
        return {
            "epoch": epoch,
            "step": self.step,
            "loss": math.fsum(losses) / len(losses),
            "accuracy": right / samples,
            "samples_per_s": round(samples / seconds, 1),
            "seconds": round(seconds, 3),
        }

    def _finite(self, loss: float, epoch: int, steps_since_read: int) -> float:
        if math.isfinite(loss):
            return loss
        raise TrainingError(
            f"the loss is {loss} in epoch {epoch}, step {self.step + steps_since_read}, at a "
            f"learning rate of {self.session.learning_rate}; expected a finite number. Lower the "
            f"learning rate or look at the data; the last good checkpoint is "
            f"{self.newest.path if self.newest else 'not there yet'}."
        )


def _resume(session: Session, newest: Saved) -> None:
    """The session's weights and optimizer state are the checkpoint's."""
    held = session.state()
    targets: dict[str, Parameter] = {n: held[n] for n in held if n not in _SETTINGS}
    parameters.fill(targets, newest.path)
    differences = newest.progress.differences(_progress(session, newest.progress.rows))
    if differences:
        log.warning("resuming will not be bit-identical; %s", "; ".join(differences))
    log.info("resuming after epoch %d from %s", newest.progress.epoch, newest.path)


def _save(session: Session, folder: Path, name: str, rows: Sequence[Row]) -> Saved:
    progress = _progress(session, rows)
    numbers = {"epoch": progress.epoch, "step": progress.step, "seed": progress.seed}
    held = session.state().values()
    return checkpoints.save(
        folder, name, progress, write=lambda path: parameters.write(path, held, numbers)
    )


def _progress(session: Session, rows: Sequence[Row]) -> Progress:
    return Progress(
        epoch=int(rows[-1]["epoch"]),
        step=int(rows[-1]["step"]),
        seed=session.seed,
        precision=session.precision,
        engine=engine(),
        rows=list(rows),
    )
