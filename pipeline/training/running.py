"""Training at work: an epoch step by step, what is saved within it, and what may end it."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.errors import StoppedEarlyError, TrainingError
from pipeline.training import checkpoints, collective
from pipeline.training.asking import Asking
from pipeline.training.feeding import Feeder
from pipeline.training.interrupts import Held
from pipeline.training.keeping import Keeper
from pipeline.training.plan import Row, measured
from pipeline.training.records import Partial
from pipeline.training.tally import Tally

log = logging.getLogger(__name__)

# An ending waits a few seconds only. Measuring that takes longer than this is begun with the
# epoch's state saved; how long the first takes, nobody knows.
_LONG_MEASURING_S = 2.0


@dataclass(frozen=True)
class Calls:
    """Whom training tells, and whom it asks."""

    progress: Callable[[int], object]
    record: Callable[[Row], object]
    measure: Callable[[], Mapping[str, float]] | None
    should_stop: Callable[[], int]


@dataclass
class State:
    """How far training has come; only the first rank knows the rows."""

    is_first: bool
    epoch: int = 0
    step: int = 0
    is_over: bool = False
    rows: list[Row] = field(default_factory=list)
    partial: Partial | None = None
    last_good: Path | None = None

    @classmethod
    def begin(
        cls, keeper: Keeper, epochs: int, start_from: Path | None, calls: Calls, *, is_first: bool
    ) -> State:
        """The state that the folder holds, which every rank's session now has."""
        state = cls(is_first)
        if is_first:
            known = len(checkpoints.rows(keeper.folder, keeper.name, last_epoch=epochs))
            state._go_on(keeper, epochs, start_from)
            for row in state.rows[known:]:
                calls.record(row)
        if keeper.ranks > 1:
            state._share(keeper)
        return state

    def _go_on(self, keeper: Keeper, epochs: int, start_from: Path | None) -> None:
        found = keeper.go_on(epochs, start_from)
        if found is None:
            return
        self.epoch, self.step, self.rows = found.epoch, found.step, list(found.rows)
        self.partial = found.partial
        self.last_good = keeper.path_of(found)
        self.is_over = keeper.plan.is_over(self.rows, epochs)
        if self.is_over and self.epoch < epochs:
            log.info("early stopping has ended this training after epoch %d already", self.epoch)

    def _share(self, keeper: Keeper) -> None:
        """Every rank has the first one's numbers and weights; the sums are the first one's only."""
        mine = self.partial or Partial(0, 0.0, 0, 0.0, 0, 0)
        numbers = [self.epoch, self.step, int(self.is_over)]
        numbers += [mine.steps, mine.steps_per_epoch, mine.samples_per_step]
        self.epoch, self.step, is_over, *partial = collective.broadcast_numbers(numbers)
        self.is_over = bool(is_over)
        if partial[0] and not self.is_first:
            self.partial = Partial(partial[0], 0.0, 0, 0.0, *partial[1:])
        collective.broadcast_state(keeper.session.state().values())


class Run:
    """A compiled step, the state that it moves, and who is told."""

    def __init__(
        self,
        keeper: Keeper,
        feeder: Feeder,
        state: State,
        calls: Calls,
        held: Held,
        *,
        epochs: int,
    ) -> None:
        self.keeper, self.feeder, self.state = keeper, feeder, state
        self.calls, self.held, self.epochs = calls, held, epochs
        self.asking = Asking(calls.should_stop, rank=feeder.rank, size=feeder.size)
        self._kept_s = time.monotonic()
        self._measuring_s = math.inf

    def to_the_end(self) -> None:
        """The step is compiled, and all epochs that are left are trained, as in `epoch`."""
        self.feeder.compile()
        while not self.state.is_over:
            self.epoch()

    def epoch(self) -> None:
        """One more epoch is trained and saved, and then told.

        Raises:
            StoppedEarlyError: `should_stop` said so, and the state is saved.
            TrainingError: a loss or a weight is not finite.
            DatasetError: a stream gave other batches than expected.
        """
        state, steps = self.state, self.feeder.steps_per_epoch
        tally = Tally(self._begun())
        done = tally.read.steps
        left = (self.epochs - state.epoch) * steps - done
        for result in self.feeder.epoch(state.epoch + 1, done=done, steps_left=left):
            tally.add(result)
            done += result.steps
            is_read = tally.is_due or done == steps or self._is_save_due()
            read = self._settle(tally) if is_read else 0
            self._pause(tally, read=read, steps=result.steps, is_end=done == steps)
        if state.is_first:
            found = self._measured(tally)
        state.epoch, state.partial = state.epoch + 1, None
        if state.is_first:
            self._keep({**tally.row(state.epoch, state.step), **found})
        self._kept_s = time.monotonic()
        self._end_of_epoch()

    def _begun(self) -> Partial:
        """Where the epoch goes on."""
        steps, samples = self.feeder.steps_per_epoch, self.feeder.samples_per_step
        found = self.state.partial
        if found is None:
            return Partial(0, 0.0, 0, 0.0, steps, samples)
        if (found.steps_per_epoch, found.samples_per_step) == (steps, samples):
            return found
        log.warning(
            "epoch %d begins anew, with the weights it had come to: its steps were %d of %d "
            "samples and are %d of %d now",
            self.state.epoch + 1,
            *(found.steps_per_epoch, found.samples_per_step, steps, samples),
        )
        return Partial(0, 0.0, 0, 0.0, steps, samples)

    def _settle(self, tally: Tally) -> int:
        """How many steps' losses were read; all were finite."""
        read, broken = tally.settle()
        self.state.step += read
        if broken is None:
            return read
        step = self.state.step + 1
        raise TrainingError(
            f"the loss is {broken} in epoch {self.state.epoch + 1}, step {step}, at a learning "
            f"rate of {self.keeper.session.rate_at(step - 1)}; expected a finite number. Lower "
            f"the learning rate or look at the data; the last good checkpoint is "
            f"{self.state.last_good or 'not there yet'}."
        )

    def _pause(self, tally: Tally, *, read: int, steps: int, is_end: bool) -> None:
        """Between two graphs, nothing is half done: here training tells, saves, and may end."""
        goes_on, why = False, 0
        try:
            if read:
                self.calls.progress(read * self.feeder.samples_per_step)
            # At the end of an epoch its checkpoint comes first.
            if not is_end:
                self.held.deliver()
            why = 0 if is_end else self.asking.why(steps)
            goes_on = why == 0
        finally:
            if not goes_on and self.state.is_first:
                self._settle(tally)
                self.keeper.keep_state_in_passing(self.state.rows, self.state.step, tally.read)
        if not goes_on:
            self._stop(why)
        if not is_end and read and self._is_save_due():
            path = self.keeper.keep_state(self.state.rows, self.state.step, tally.read)
            self.state.last_good, self._kept_s = path, time.monotonic()

    def _is_save_due(self) -> bool:
        every_s = self.keeper.plan.checkpoint_every_s
        is_ours = self.state.is_first and every_s is not None
        return is_ours and time.monotonic() - self._kept_s >= (every_s or 0)

    def _stop(self, why: int) -> None:
        if self.keeper.ranks > 1:
            # A launcher may end all when the first of them ends: the state must be saved by then.
            collective.broadcast_numbers([self.state.step])
        raise StoppedEarlyError(
            f"training was asked to stop after step {self.state.step}, in epoch "
            f"{self.state.epoch + 1} of {self.epochs}; expected to come to its end. The same "
            f"command goes on from there.",
            why=why,
        )

    def _measured(self, tally: Tally) -> Row:
        """The metrics of the test split, if they are planned for this epoch."""
        state, keeper, measure = self.state, self.keeper, self.calls.measure
        if measure is None or not keeper.plan.measures_after(state.epoch + 1):
            return {}
        if self._measuring_s > _LONG_MEASURING_S:
            keeper.keep_state(state.rows, state.step, tally.read)
        started_s = time.monotonic()
        found = measured(measure())
        self._measuring_s = time.monotonic() - started_s
        keeper.session.network.set_train(True)
        return {name: value for name, value in found.items() if math.isfinite(value)}

    def _keep(self, row: Row) -> None:
        """The epoch is saved and told."""
        state = self.state
        row = {**row, "learning_rate": self.keeper.session.rate_at(state.step - 1)}
        state.rows.append(row)
        state.last_good = self.keeper.keep_epoch(state.rows, state.step)
        self.calls.record(row)

    def _end_of_epoch(self) -> None:
        state, plan = self.state, self.keeper.plan
        state.is_over = state.epoch >= self.epochs
        if plan.early_stopping is not None:
            state.is_over = plan.is_over(state.rows, self.epochs) or state.is_over
            if self.keeper.ranks > 1:
                state.is_over = bool(collective.broadcast_numbers([int(state.is_over)])[0])
            if state.is_over and state.epoch < self.epochs:
                log.info(
                    "stopped early after epoch %d: %s was no better %d times",
                    *(state.epoch, plan.monitored, plan.early_stopping.patience),
                )
        if not state.is_over:
            self.held.deliver()
            why = self.asking.why(self.feeder.steps_per_epoch)
            if why:
                self._stop(why)
