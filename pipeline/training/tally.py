"""What the steps of an epoch add up to."""

from __future__ import annotations

import math
import time
from dataclasses import replace

from pipeline.training.feeding import Result
from pipeline.training.plan import Row
from pipeline.training.records import Partial

# To read a loss means to wait for the device.
_READ_EVERY_S = 0.1


class Tally:
    """The sums of an epoch that goes on from `partial`; results wait until they are read.

    Losses are added one by one in their order, so that the sum is the same bits wherever the epoch
    was interrupted.
    """

    def __init__(self, partial: Partial) -> None:
        self.read = partial
        self._pending: list[Result] = []
        self._started_s = self._read_s = time.perf_counter()
        self._seconds_before = partial.seconds

    @property
    def is_due(self) -> bool:
        """Whether results should be read by now."""
        return time.perf_counter() - self._read_s >= _READ_EVERY_S

    def add(self, result: Result) -> None:
        """One more result, which may not be computed yet."""
        self._pending.append(result)

    def settle(self) -> tuple[int, float | None]:
        """All results are read up to the first that is not finite.

        How many steps were read, and the value of the next one's loss if it is not finite.
        """
        steps, loss_sum, right = 0, self.read.loss_sum, self.read.right
        for result in self._pending:
            losses = result.losses.asnumpy().reshape(-1).tolist()
            for loss, count in zip(losses, result.rights.asnumpy().reshape(-1).tolist()):
                if not math.isfinite(loss):
                    return steps, loss
                steps, loss_sum, right = steps + 1, loss_sum + loss, right + count
        self._pending.clear()
        self._read_s = time.perf_counter()
        seconds = self._seconds_before + self._read_s - self._started_s
        self.read = replace(
            self.read,
            steps=self.read.steps + steps,
            loss_sum=loss_sum,
            right=right,
            seconds=seconds,
        )
        return steps, None

    def row(self, epoch: int, step: int) -> Row:
        """The row of the epoch, all of whose steps were read."""
        done = self.read
        samples = done.steps * done.samples_per_step
        return {
            "epoch": epoch,
            "step": step,
            "loss": done.loss_sum / done.steps,
            "accuracy": done.right / samples,
            "samples_per_s": round(samples / max(done.seconds, 1e-9), 1),
            "seconds": round(done.seconds, 3),
        }
