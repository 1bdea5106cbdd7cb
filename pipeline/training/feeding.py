"""Batches on their way into the compiled step, from memory or from a stream."""

from __future__ import annotations

import contextlib
import logging
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from mindspore import Tensor, nn

from pipeline.data import Arrays, Share, Stream
from pipeline.errors import DatasetError, TrainingError
from pipeline.training import collective, order, sink
from pipeline.training.plan import Plan
from pipeline.training.session import Session, explaining_shapes
from pipeline.training.step import TrainStep, TrainSteps

log = logging.getLogger(__name__)

# So many steps are timed one by one before several become one graph.
_TIMED_STEPS = 10
# A signal waits for the graph at work.
_LONGEST_GRAPH_S = 0.5
# To compile a graph of n steps takes as long as n * this many steps in it save.
_STEPS_THAT_PAY = 80


@dataclass(frozen=True)
class Result:
    """What a graph has computed: losses and right predictions of `steps` steps, on the device."""

    steps: int
    losses: Tensor
    rights: Tensor


class Feeder:
    """The compiled step of a session with the data that go into it.

    Of many ranks each has its own share of every batch, and all make the same calls.
    """

    def __init__(
        self,
        session: Session,
        plan: Plan,
        *,
        rank: int = 0,
        size: int = 1,
        compiling: Callable[[], contextlib.AbstractContextManager[object]] = contextlib.nullcontext,
    ) -> None:
        """Compiles nothing yet, and later does so inside `compiling()`.

        Raises:
            TrainingError: the session has no training data.
            DatasetError: there are not enough samples for all ranks.
        """
        if session.train is None or session.optimizer is None:
            raise TrainingError(
                "the session has no training data; expected some. Build it with a train split."
            )
        self.session, self.plan, self.rank, self.size = session, plan, rank, size
        self.compiling = compiling
        self.data = session.train
        self.parts = session.accumulation
        batch_size = session.batch_size * self.parts
        self.length = order.batch_length(len(self.data), batch_size, size=size, parts=self.parts)
        if self.length == 0:
            raise DatasetError(
                f"the training data have {len(self.data)} samples for {size} ranks of "
                f"{self.parts} batches a step; expected at least one for each. Use fewer ranks, or "
                f"more data."
            )
        self.steps_per_epoch = order.steps_per_epoch(len(self.data), batch_size * size)
        self.step = TrainStep(session, session.optimizer, self.data, size=size, parts=self.parts)
        self._several: TrainSteps | None = None
        self._times_s: list[float] = []

    @property
    def samples_per_step(self) -> int:
        """How many samples all ranks together have in a step."""
        return self.length * self.size

    def compile(self) -> None:
        """The step is compiled.

        Raises:
            DatasetError: the network cannot work on these data.
        """
        started = time.perf_counter()
        with explaining_shapes(self.session, self.data), self.compiling():
            self.step.compile(*self._example())
        log.info("compiled the training step in %.1f s", time.perf_counter() - started)

    def epoch(self, epoch: int, *, done: int, steps_left: int) -> Iterator[Result]:
        """Trains the epoch from step `done` on; the weights move as results are asked for.

        `steps_left`, of this and all epochs to come, tells what is worth compiling.
        """
        if isinstance(self.data, Stream):
            return self._streamed(self.data, epoch, done)
        return self._held(epoch, done, steps_left)

    def _held(self, epoch: int, done: int, steps_left: int) -> Iterator[Result]:
        batches = self._batches(epoch)
        while done < len(batches):
            self._choose_graph(steps_left)
            several = self._several
            if several is not None and done + several.count <= len(batches):
                steps = several.count
                result = Result(steps, *several(Tensor(batches[done : done + steps])))
            else:
                steps = 1
                result = self._timed(Tensor(batches[done]))
            done, steps_left = done + steps, steps_left - steps
            yield result

    def _streamed(self, data: Stream, epoch: int, done: int) -> Iterator[Result]:
        batches = self._batches(epoch)
        if done == len(batches):
            return
        seed = order.epoch_seed(self.session.seed, epoch)
        dataset = data.open(self._share(batches, seed))
        feed = sink.results if self.plan.data_sink else _results
        given = done
        for loss, right in feed(self.step, dataset, done, length=self.length):
            given += 1
            yield Result(1, loss, right)
        if given != len(batches):
            raise DatasetError(
                f"the stream gave {given} batches in epoch {epoch}; expected {len(batches)} of "
                f"{self.length} samples. Look at the loader."
            )

    def _batches(self, epoch: int) -> np.ndarray[tuple[int, ...], np.dtype[np.int32]]:
        return order.batches(
            len(self.data),
            self.session.batch_size * self.parts,
            seed=self.session.seed,
            epoch=epoch,
            rank=self.rank,
            size=self.size,
            parts=self.parts,
        )

    def _share(self, batches: np.ndarray[tuple[int, ...], np.dtype[np.int32]], seed: int) -> Share:
        return Share(batches.reshape(-1).tolist(), self.length, seed, self.rank, self.size)

    def _example(self) -> list[Tensor]:
        """A batch like all others."""
        if isinstance(self.data, Arrays):
            return [Tensor(np.arange(self.length, dtype=np.int32))]
        dataset = self.data.open(self._share(self._batches(1)[:1], seed=0))
        return list(next(iter(dataset.create_tuple_iterator(num_epochs=1))))

    def _timed(self, batch: Tensor) -> Result:
        started = time.perf_counter()
        loss, right = self.step(batch)
        if len(self._times_s) < _TIMED_STEPS:
            loss.asnumpy()
            self._times_s.append(time.perf_counter() - started)
        return Result(1, loss, right)

    def _choose_graph(self, steps_left: int) -> None:
        """Once enough steps were timed, several are compiled as one graph if that pays."""
        if self.plan.steps_per_graph == 1 or len(self._times_s) != _TIMED_STEPS:
            return
        self._times_s.append(0.0)
        count = graph_length(
            self.plan.steps_per_graph,
            step_s=min(self._times_s[:_TIMED_STEPS]),
            steps_per_epoch=self.steps_per_epoch,
            steps_left=steps_left,
        )
        if self.size > 1:
            (count,) = collective.broadcast_numbers([count])
        if count > 1:
            started = time.perf_counter()
            self._several = TrainSteps(self.step, count)
            with self.compiling():
                self._several.compile(Tensor(np.zeros((count, self.length), np.int32)))
            seconds = time.perf_counter() - started
            log.info("compiled %d training steps as one graph in %.1f s", count, seconds)


def graph_length(limit: int, *, step_s: float, steps_per_epoch: int, steps_left: int) -> int:
    """How many steps shall be one graph, so that it pays, ends soon, and few steps are left over.

    >>> graph_length(25, step_s=0.004, steps_per_epoch=44, steps_left=10_000)
    22
    >>> graph_length(25, step_s=0.004, steps_per_epoch=44, steps_left=440)
    1
    """
    longest = min(limit, steps_per_epoch, int(_LONGEST_GRAPH_S / step_s))
    if longest < 2 or steps_left < _STEPS_THAT_PAY * longest:
        return 1
    return steps_per_epoch // math.ceil(steps_per_epoch / longest)


def _results(
    step: nn.Cell, dataset: object, done: int, *, length: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """The step's results on every batch after the first `done`."""
    for number, batch in enumerate(dataset.create_tuple_iterator(num_epochs=1)):  # type: ignore[attr-defined]
        if len(batch[-1]) != length:
            raise DatasetError(
                f"the stream gave a batch of {len(batch[-1])} samples; expected {length} in each. "
                f"Look at the loader."
            )
        if number >= done:
            yield step(*batch)
