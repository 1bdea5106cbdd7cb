"""The one place that knows Optuna: a study that is asked for values and told of endings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Optional

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler, GridSampler, QMCSampler
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import SQLAlchemyError

from pipeline.commands.sweeping.searching import parts
from pipeline.commands.sweeping.searching.dimension import Dimension, Range, Scalar
from pipeline.commands.sweeping.searching.quiet import passing_on
from pipeline.errors import ConfigError, Mistake
from pipeline.job.fields import ComponentPart
from pipeline.messages.masking import mask

State = Literal["complete", "pruned", "failed"]

# Another process may look at the file at the same time, on a file system that is slow.
_SQLITE_TIMEOUT_S = 60
_STATES = {
    "complete": TrialState.COMPLETE,
    "pruned": TrialState.PRUNED,
    "failed": TrialState.FAIL,
}
_NAMES: Mapping[TrialState, State] = {
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
}
# These go through a fixed order, which they must find again.
_ORDERED = (GridSampler, QMCSampler)


# Which sampler has tried everything.
_EXHAUSTED = "exhausted"


class _Asked(optuna.Study):
    """A study that is asked and told, which a sampler may stop, too."""

    is_stopped = False

    def stop(self) -> None:
        """Nothing is left to try."""
        self.is_stopped = True


@dataclass(frozen=True)
class Trial:
    """One trial of the study, counted from 0; without a `state` it has not ended."""

    number: int
    values: Mapping[str, Scalar]
    steps: tuple[int, ...] = ()
    state: Optional[State] = None
    value: Optional[float] = None


class Study:
    """A study in its storage, this process being the only one that asks it."""

    def __init__(
        self,
        name: str,
        url: str | None,
        folder: Path,
        *,
        direction: Literal["max", "min"],
        dimensions: tuple[Dimension, ...],
        sampler: ComponentPart,
        pruner: ComponentPart,
        seed: int,
    ) -> None:
        """It is there, new or as it was left; `folder` holds its file where no URL is given.

        Raises:
            ConfigError: sampler, pruner or storage cannot be had.
        """
        self._sampler, self._seed = sampler, sampler.arguments.get("seed") or seed
        self._distributions = {d.key: _distribution(d) for d in dimensions}
        made, pruning = (
            parts.built("sampler", sampler, BaseSampler, seed=self._seed),
            parts.built("pruner", pruner, BasePruner),
        )
        address = make_url(url) if url else URL.create("sqlite", database=str(folder / "search.db"))
        with passing_on(), _opening():
            self._storage = _storage(address)
            optuna.create_study(
                storage=self._storage,
                study_name=name,
                direction="maximize" if direction == "max" else "minimize",
                load_if_exists=True,
            )
            self._study = _Asked(name, self._storage, made, pruning)
            self._id = self._storage.get_study_id_from_name(name)
        self.url = mask(address.render_as_string(hide_password=True))

    @property
    def trials(self) -> list[Trial]:
        """All trials that have begun, in their order."""
        found = self._study.get_trials(deepcopy=False)
        return [_trial(trial) for trial in found if trial.state != TrialState.WAITING]

    @property
    def is_exhausted(self) -> bool:
        """Whether the sampler has tried all that there is, now or at an earlier start."""
        found = self._study.user_attrs.get(_EXHAUSTED)
        return self._study.is_stopped or bool(found == self._sampler.target)

    def ask(self) -> Trial:
        """A new trial, its values chosen by all that was told so far."""
        with passing_on():
            is_ordered = isinstance(self._study.sampler, _ORDERED)
            if parts.takes_seed(self._sampler) and not is_ordered:
                # What is random depends on the trial alone: a search that goes on after an end
                # chooses what it would have chosen, and does not begin again with its first values.
                begun = len(self._study.get_trials(deepcopy=False))
                seed = parts.seed_of(self._seed, begun)
                self._study.sampler = parts.built("sampler", self._sampler, BaseSampler, seed=seed)
            trial = self._study.ask(fixed_distributions=self._distributions)
        return Trial(trial.number, trial.params)

    def is_hopeless(self, number: int, step: int, value: float) -> bool:
        """Whether the pruner gives a trial up that has come to this step with this value."""
        trial_id = self._id_of(number)
        with passing_on():
            self._storage.set_trial_intermediate_value(trial_id, step, value)
            return self._study.pruner.prune(self._study, self._storage.get_trial(trial_id))

    def tell(self, number: int, state: State, value: float | None = None) -> None:
        """The trial has ended so; a value has only what is complete."""
        with passing_on():
            self._study.tell(number, value, state=_STATES[state])
            if self._study.is_stopped:
                self._study.set_user_attr(_EXHAUSTED, self._sampler.target)

    def note(self, number: int, **facts: Any) -> None:
        """Facts of the trial that Optuna's own tools show."""
        for name, fact in facts.items():
            self._storage.set_trial_user_attr(self._id_of(number), name, fact)

    def close(self) -> None:
        """The storage is given back."""
        self._storage.remove_session()
        self._storage.engine.dispose()

    def _id_of(self, number: int) -> int:
        return self._storage.get_trial_id_from_study_id_trial_number(self._id, number)


def check(sampler: ComponentPart, pruner: ComponentPart) -> None:
    """Both can be made.

    Raises:
        ConfigError: one is not to be had, or does not take its arguments.
    """
    parts.built("sampler", sampler, BaseSampler, seed=0)
    parts.built("pruner", pruner, BasePruner)


def _trial(trial: FrozenTrial) -> Trial:
    value = trial.value if trial.state == TrialState.COMPLETE else None
    steps = tuple(trial.intermediate_values)
    return Trial(trial.number, trial.params, steps, _NAMES.get(trial.state), value)


def _distribution(dimension: Dimension) -> BaseDistribution:
    found = dimension.values
    if not isinstance(found, Range):
        return CategoricalDistribution([choice.value for choice in found])
    if found.is_whole:
        step = int(found.step or 1)
        return IntDistribution(int(found.low), int(found.high), log=found.is_log, step=step)
    return FloatDistribution(found.low, found.high, log=found.is_log, step=found.step)


def _storage(address: URL) -> RDBStorage:
    is_file = address.get_backend_name() == "sqlite"
    arguments = {"connect_args": {"timeout": _SQLITE_TIMEOUT_S}} if is_file else {}
    return RDBStorage(address.render_as_string(hide_password=False), engine_kwargs=arguments)


@contextmanager
def _opening() -> Iterator[None]:
    try:
        yield
    except (SQLAlchemyError, RuntimeError, ImportError, ValueError, OSError) as error:
        problem = f"the study cannot be opened: {str(error).splitlines()[0]}"
        remedy = "see whether the file can be written and is one of Optuna's, or name another place"
        raise ConfigError([Mistake("sweep.search.storage", mask(problem), "", remedy)]) from error
