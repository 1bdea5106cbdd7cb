"""The training loop: epochs of steps, a checkpoint after each, and the way back into them."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mindspore import Parameter, Tensor

from pipeline.data import Arrays
from pipeline.errors import DatasetError, TrainingError
from pipeline.training import (
    checkpoints,
    collective,
    denormals,
    interrupts,
    order,
    parameters,
)
from pipeline.training.checkpoints import Progress, Row, Saved
from pipeline.training.device import engine
from pipeline.training.session import Session, explaining_shapes
from pipeline.training.step import TrainStep

if TYPE_CHECKING:
    from pipeline.data import Array

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
    rank: int = 0,
    size: int = 1,
) -> Path:
    """The checkpoint of epoch `epochs`, trained from the newest good one in the folder.

    `progress` hears of samples worked through, `record` of each new epoch's row (for the rows
    before, see `checkpoints.rows`), `saved` of every file once it is whole. An interrupt may come
    between any two steps; the next call goes on from the last epoch saved.

    Of many ranks, which `cluster.join` brought together, all call this with the same session and
    epochs. The first alone reads and writes the folder, and calls `record` and `saved`; the others
    return after it has saved all, and the path is one on its disk. Rows and progress are of all.

    Raises:
        TrainingError: the loss became NaN or infinite, or there is nothing to train on.
        CheckpointError: the newest good checkpoint does not fit this session.
        DatasetError: the network cannot work on the data, or there are more ranks than samples.
        DiskFullError: no space is left for a checkpoint.
    """
    newest = _go_on(session, folder, name, epochs, ranks=size) if rank == 0 else None
    rows = list(newest.progress.rows) if newest else []
    done, step = (newest.progress.epoch, newest.progress.step) if newest else (0, 0)
    if size > 1:
        done, step = collective.broadcast_numbers([done, step])
        collective.broadcast_state(session.state().values())
    last_good = checkpoints.path_of(folder, name, done) if done else None
    if last_good and done == epochs:
        return last_good
    run = _Run.start(session, rank=rank, size=size, step=step, last_good=last_good)
    for epoch in range(done + 1, epochs + 1):
        row = run.epoch(epoch, progress)
        run.last_good = checkpoints.path_of(folder, name, epoch)
        if rank == 0:
            rows.append(row)
            kept = _save(session, folder, name, _progress(session, rows, size))
            record(row)
            for path in (kept.path, kept.record_path, folder / checkpoints.INDEX_NAME):
                saved(path)
    if size > 1:
        # Nobody goes on to read what the first rank is still writing.
        collective.broadcast_numbers([epochs])
    return checkpoints.path_of(folder, name, epochs)


@dataclass
class _Run:
    """A compiled step and where it stands."""

    session: Session
    data: Arrays
    cell: TrainStep
    rank: int
    size: int
    step: int
    last_good: Path | None

    @classmethod
    def start(
        cls, session: Session, *, rank: int, size: int, step: int, last_good: Path | None
    ) -> _Run:
        """The step, compiled."""
        if session.train is None or session.optimizer is None:
            raise TrainingError(
                "the session has no training data; expected some. Build it with a train split."
            )
        length = order.batch_length(len(session.train), session.batch_size, size=size)
        if length == 0:
            raise DatasetError(
                f"the training data have {len(session.train)} samples for {size} ranks; expected "
                f"at least one for each. Use fewer ranks, or more data."
            )
        started = time.perf_counter()
        cell = TrainStep(session, session.optimizer, session.train, size=size)
        with explaining_shapes(session, session.train):
            cell.compile(Tensor(order.permutation(length, seed=0, epoch=0)))
        log.info("compiled the training step in %.1f s", time.perf_counter() - started)
        return cls(session, session.train, cell, rank, size, step, last_good)

    def epoch(self, epoch: int, progress: Callable[[int], object]) -> Row:
        """Every step of the epoch is done; its row."""
        started = time.perf_counter()
        batches = self._batches(epoch)
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
            progress(self._samples(chunk))
        seconds = time.perf_counter() - started
        samples = self._samples(batches)
        return {
            "epoch": epoch,
            "step": self.step,
            "loss": math.fsum(losses) / len(losses),
            "accuracy": right / samples,
            "samples_per_s": round(samples / seconds, 1),
            "seconds": round(seconds, 3),
        }

    def _batches(self, epoch: int) -> list[Array]:
        length, seed = self.session.batch_size, self.session.seed
        share = {"rank": self.rank, "size": self.size}
        return list(order.batches(len(self.data), length, seed=seed, epoch=epoch, **share))

    def _samples(self, batches: Sequence[Array]) -> int:
        """How many samples all ranks together have in such batches."""
        return self.size * sum(len(batch) for batch in batches)

    def _finite(self, loss: float, epoch: int, steps_since_read: int) -> float:
        if math.isfinite(loss):
            return loss
        raise TrainingError(
            f"the loss is {loss} in epoch {epoch}, step {self.step + steps_since_read}, at a "
            f"learning rate of {self.session.learning_rate}; expected a finite number. Lower the "
            f"learning rate or look at the data; the last good checkpoint is "
            f"{self.last_good or 'not there yet'}."
        )


def _go_on(session: Session, folder: Path, name: str, epochs: int, *, ranks: int) -> Saved | None:
    """The newest good checkpoint, whose weights and optimizer state the session now has."""
    folder.mkdir(parents=True, exist_ok=True)
    checkpoints.remove_unfinished(folder, name)
    newest = checkpoints.newest_good(folder, name, last_epoch=epochs)
    if newest is None:
        return None
    held = session.state()
    targets: dict[str, Parameter] = {n: held[n] for n in held if n not in _SETTINGS}
    parameters.fill(targets, newest.path)
    differences = newest.progress.differences(_progress(session, newest.progress.rows, ranks))
    if differences:
        log.warning("resuming will not be bit-identical; %s", "; ".join(differences))
    log.info("resuming after epoch %d from %s", newest.progress.epoch, newest.path)
    return newest


def _save(session: Session, folder: Path, name: str, progress: Progress) -> Saved:
    numbers = {"epoch": progress.epoch, "step": progress.step, "seed": progress.seed}
    held = session.state().values()
    return checkpoints.save(
        folder, name, progress, write=lambda path: parameters.write(path, held, numbers)
    )


def _progress(session: Session, rows: Sequence[Row], ranks: int) -> Progress:
    return Progress(
        epoch=int(rows[-1]["epoch"]),
        step=int(rows[-1]["step"]),
        seed=session.seed,
        precision=session.precision,
        engine=engine(),
        rows=list(rows),
        ranks=ranks,
    )
