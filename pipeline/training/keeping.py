"""What training leaves in its folder, and how a session gets it back; the first rank's work."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import mindspore
import numpy as np
from mindspore import Parameter, Tensor

from pipeline.errors import CheckpointError, DiskFullError, TrainingError
from pipeline.training import checkpoints, parameters, records
from pipeline.training.device import engine
from pipeline.training.plan import Plan, Row
from pipeline.training.records import Partial, Progress
from pipeline.training.session import Session

log = logging.getLogger(__name__)

# The name under which a checkpoint carries its own record, so that one file is enough to go on.
_PROGRESS = "progress"
_FLOATS = (mindspore.float16, mindspore.float32, mindspore.float64)


@dataclass(frozen=True)
class Keeper:
    """Saves a session's states in a folder; `saved` and `pruned` hear of files come and gone."""

    session: Session
    folder: Path
    name: str
    plan: Plan
    ranks: int
    saved: Callable[[Path], object]
    pruned: Callable[[Path], object]

    def go_on(self, epochs: int, start_from: Path | None) -> Progress | None:
        """How far the newest good state has come, which the session now has; None: not begun.

        `start_from` counts where the folder holds none, and is then made its own.

        Raises:
            CheckpointError: the state does not fit the session, or leaves nothing to train.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        checkpoints.remove_unfinished(self.folder, self.name)
        newest = checkpoints.newest(self.folder, self.name, last_epoch=epochs)
        if newest is not None:
            self._mend_index()
            return self._take(newest.path, newest.progress)
        if start_from is None:
            return None
        progress = self._take(start_from, _progress_in(start_from, epochs))
        if progress.partial is None:
            self.keep_epoch(progress.rows, progress.step)
        else:
            self.keep_state(progress.rows, progress.step, progress.partial)
        return progress

    def keep_epoch(self, rows: Sequence[Row], step: int) -> Path:
        """The state at the end of the last of these epochs is saved, older ones are pruned.

        Raises:
            DiskFullError: there is no space for it; the older ones are there.
            TrainingError: a weight is no finite number.
        """
        progress = self._progress(rows, step)
        kept = checkpoints.save(
            self.folder,
            self.name,
            progress,
            lambda path: self._write(path, progress),
            monitored=self.plan.monitored,
        )
        for path in (kept.path, kept.record_path, self.folder / checkpoints.INDEX_NAME):
            self.saved(path)
        self._prune()
        return kept.path

    def keep_state(self, rows: Sequence[Row], step: int, partial: Partial) -> Path:
        """The state within the epoch after these is saved, in the place of the one before.

        Raises:
            DiskFullError: there is no space for it; the one before is there.
            TrainingError: a weight is no finite number.
        """
        progress = replace(self._progress(rows, step), partial=partial)
        kept = checkpoints.save_state(
            self.folder, self.name, progress, lambda path: self._write(path, progress)
        )
        for path in (kept.path, kept.record_path):
            self.saved(path)
        return kept.path

    def keep_state_in_passing(self, rows: Sequence[Row], step: int, partial: Partial) -> None:
        """As `keep_state`, while something ends training already: a full disk is a warning."""
        try:
            path = self.keep_state(rows, step, partial)
        except DiskFullError as error:
            log.warning("kept no state of epoch %d: %s", len(rows) + 1, error)
        else:
            log.info("kept the state of step %d in %s", step, path)

    def path_of(self, progress: Progress) -> Path:
        """Where the state lies that has come so far."""
        if progress.partial is not None:
            return self.folder / checkpoints.STATE_NAME
        return checkpoints.path_of(self.folder, self.name, progress.epoch)

    def finish(self) -> None:
        """Training is over: no state from within an epoch is left, and no checkpoint too many."""
        self._prune()
        self._tell(checkpoints.remove_state(self.folder))

    def _mend_index(self) -> None:
        monitored = self.plan.monitored
        if not checkpoints.has_true_index(self.folder, self.name, monitored=monitored):
            self.saved(checkpoints.write_index(self.folder, self.name, monitored=monitored))

    def _prune(self) -> None:
        if self.plan.keep_checkpoints is not None:
            keep, monitored = self.plan.keep_checkpoints, self.plan.monitored
            self._tell(checkpoints.prune(self.folder, self.name, keep=keep, monitored=monitored))

    def _take(self, path: Path, progress: Progress) -> Progress:
        parameters.fill(self.session.state(), path)
        differences = progress.differences(self._progress(progress.rows, progress.step))
        differences += [f"dropout {name}: drawn anew" for name in self.session.drawing()[:1]]
        if differences:
            log.warning("resuming will not be bit-identical; %s", "; ".join(differences))
        steps = f" and {progress.partial.steps} steps" if progress.partial else ""
        log.info("resuming after epoch %d%s from %s", progress.epoch, steps, path)
        return progress

    def _progress(self, rows: Sequence[Row], step: int) -> Progress:
        return Progress(
            epoch=len(rows),
            step=step,
            seed=self.session.seed,
            precision=self.session.precision,
            engine=engine(),
            rows=list(rows),
            ranks=self.ranks,
        )

    def _write(self, path: Path, progress: Progress) -> None:
        state = list(self.session.state().values())
        self._check_finite(state, progress.step)
        # Equal trainings leave equal checkpoints.
        text = np.frombuffer(progress.without_times().as_json().encode(), np.uint8)
        carried = Parameter(Tensor(text.copy()), name=_PROGRESS, requires_grad=False)
        numbers = {"epoch": progress.epoch, "step": progress.step, "seed": progress.seed}
        parameters.write(path, [*state, carried], numbers)

    def _check_finite(self, state: Iterable[Parameter], step: int) -> None:
        for parameter in state:
            if parameter.dtype in _FLOATS and not np.isfinite(parameter.asnumpy()).all():
                newest = checkpoints.newest(self.folder, self.name)
                raise TrainingError(
                    f"{parameter.name} is not finite after step {step}, at a learning rate of "
                    f"{self.session.rate_at(step - 1)}; expected finite numbers. Lower the "
                    f"learning rate or look at the data; the last good checkpoint is "
                    f"{newest.path if newest else 'not there yet'}."
                )

    def _tell(self, gone: Iterable[Path]) -> None:
        for path in gone:
            self.pruned(path)


def _progress_in(path: Path, epochs: int) -> Progress:
    """What a checkpoint says of itself; its record, where one lies beside it, knows times too."""
    carried = parameters.read(path).get(_PROGRESS)
    if carried is None:
        raise CheckpointError(
            f"{path} holds no whole state of a training, only parameters; expected a checkpoint "
            f"that this pipeline's training wrote. For its weights alone use mode.checkpoint."
        )
    try:
        progress = records.progress_of(json.loads(carried.asnumpy().tobytes().decode()))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise CheckpointError(
            f"what {path} says of its training cannot be read ({error}); expected the words of "
            f"this pipeline. Use the version that wrote it, or mode.checkpoint for the weights."
        ) from error
    if progress.epoch >= epochs:
        raise CheckpointError(
            f"{path} has come through {progress.epoch} epochs, and mode.epochs is {epochs}; "
            f"expected more to train. Raise mode.epochs: it counts from the very first epoch."
        )
    return checkpoints.recorded_at(path) or progress
