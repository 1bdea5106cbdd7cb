"""A search before its first trial: its space read, both ends of everything composed and checked."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from pipeline.commands.runs.record import is_less_better
from pipeline.commands.sweeping import composing
from pipeline.commands.sweeping.composing import Member
from pipeline.commands.sweeping.expanding import Variant
from pipeline.commands.sweeping.record import FOLDER
from pipeline.commands.sweeping.searching import space
from pipeline.commands.sweeping.searching.dimension import SOURCE, Dimension, NoSpaceError, Scalar
from pipeline.commands.sweeping.searching.parting import Parted
from pipeline.commands.sweeping.sorting import Direction
from pipeline.configuration.arguments import Arguments
from pipeline.errors import ConfigError, Mistake
from pipeline.job.sweep import Search, Sweep
from pipeline.messages.masking import masked

_METRIC = "accuracy"


@dataclass(frozen=True)
class Composer:
    """Makes the job of a trial out of its values."""

    parted: Parted
    dimensions: tuple[Dimension, ...]
    root: Path
    current_folder: Path
    start_file: str
    code_folders: tuple[Path, ...] = ()

    def compose(self, number: int, values: Mapping[str, Scalar]) -> Member:
        """The job.

        Raises:
            ConfigError: these values do not make one.
        """
        variant = Variant(self._with(values), self.overrides_of(values))
        member = composing.compose_one(
            number,
            variant,
            root=self.root,
            current_folder=self.current_folder,
            start_file=self.start_file,
        )
        assignment = replace(member.assignment, code_folders=self.code_folders)
        return replace(member, assignment=assignment)

    def alone(self, values: Mapping[str, Scalar]) -> Arguments:
        """The command line of the trial as a job of its own."""
        found = self._with(values)
        kept = [s for s in found.settings if s.key.split(".")[0] != "sweep"]
        return replace(found, settings=kept)

    def _with(self, values: Mapping[str, Scalar]) -> Arguments:
        base = self.parted.arguments
        settings = [d.setting(values[d.key]) for d in self.dimensions]
        return replace(base, settings=[*base.settings, *settings])

    def overrides_of(self, values: Mapping[str, Scalar]) -> dict[str, str]:
        """What the trial sets, as a command line has it."""
        texts = {d.key: d.text_of(values[d.key]) for d in self.dimensions if d.key in values}
        return dict(masked(texts))


@dataclass(frozen=True)
class Prepared:
    """A search that may begin; `first` is the job with the first value of everything."""

    search_id: str
    first: Member
    sweep: Sweep
    composer: Composer
    metric: str
    direction: Direction

    @property
    def search(self) -> Search:
        """What was asked for."""
        return self.sweep.search

    @property
    def folder(self) -> Path:
        """Where its record lies."""
        return self.first.context.output_dir / FOLDER / self.search_id

    @property
    def prune_on(self) -> str:
        """The column of metrics.jsonl that the pruner sees."""
        return self.search.prune_on or _column(self.first, self.metric)


def prepare(parted: Parted, *, root: Path, start_file: str, known: Sequence[str]) -> Prepared:
    """The search, checked; `known` is where code was found before any of this was read.

    Raises:
        ConfigError: with every mistake in the space and in the jobs at its ends.
    """
    mistakes = list(parted.arguments.mistakes)
    dimensions = tuple(_dimensions(parted, mistakes))
    if not dimensions and not mistakes:
        remedy = "give a space, or sweep over values: key=interval(LOW,HIGH), key=a,b"
        mistakes.append(Mistake(SOURCE, "there is nothing to choose from", "", remedy))
    composer = Composer(parted, dimensions, root, Path.cwd(), start_file)
    members = _ends(composer, mistakes)
    if members:
        mistakes += [mistake for mistake, _ in composing.of_all(members[:1])]
        mistakes += _mistakes_of(members[0])
    if mistakes:
        raise ConfigError(list(dict.fromkeys(mistakes)))
    composing.probe_all(members)
    added = tuple(Path(folder) for folder in sys.path if folder not in known)
    return _prepared(members[0], replace(composer, code_folders=added))


def _prepared(first: Member, composer: Composer) -> Prepared:
    sweep = first.job.sweep
    metric, direction = _metric_of(sweep), _direction_of(sweep)
    identity = {
        "job": first.run_id,
        "space": {d.key: _plain(d) for d in sorted(composer.dimensions, key=lambda d: d.key)},
        "metric": metric,
        "direction": direction,
    }
    digest = hashlib.sha256(json.dumps(identity, ensure_ascii=False).encode("utf-8")).hexdigest()
    sweep = sweep.model_copy(update={"metric": metric, "direction": direction})
    return Prepared(f"search-{digest[:8]}", first, sweep, composer, metric, direction)


def _dimensions(parted: Parted, mistakes: list[Mistake]) -> Iterator[Dimension]:
    """What was typed wins over what a file searches in, be it a value or a sweep."""
    typed = {setting.key: setting for setting in parted.sweeps}
    fixed = {setting.key for setting in parted.arguments.settings if not setting.source}
    found = parted.space
    if found is not None and not isinstance(found, Mapping):
        # What is wrong with it is said when the job is composed.
        found = {}
    for key, value in space.flattened(found or {}):
        if key not in typed and key not in fixed:
            make = partial(space.of_yaml, key, value, parted.options_of(key))
            yield from _read(mistakes, SOURCE, key, make)
    for key, setting in typed.items():
        name, options = f"{setting.sign}{key}", parted.options_of(key)
        make = partial(space.of_text, name, setting.value or "", options)
        for dimension in _read(mistakes, setting.origin, key, make):
            yield replace(dimension, source=setting.origin, is_flag=setting.is_flag)


def _read(
    mistakes: list[Mistake], origin: str, key: str, make: Callable[[], Dimension]
) -> Iterator[Dimension]:
    try:
        yield make()
    except NoSpaceError as error:
        mistakes.append(Mistake(key, error.problem, origin, error.remedy))


def _ends(composer: Composer, mistakes: list[Mistake]) -> list[Member]:
    """The job of the first values, and with it one for each further end or choice."""
    firsts = {d.key: d.ends[0] for d in composer.dimensions}
    further = [{**firsts, d.key: end} for d in composer.dimensions for end in d.ends[1:]]
    members = []
    for number, values in enumerate([firsts, *further], start=1):
        try:
            members.append(composer.compose(number, values))
        except ConfigError as error:
            known = {(mistake.key, mistake.problem) for mistake in mistakes}
            told = map(_with_remedy, error.mistakes)
            mistakes += [m for m in told if (m.key, m.problem) not in known]
        except NoSpaceError as error:
            mistakes.append(Mistake(SOURCE, error.problem, "", error.remedy))
    return members


def _with_remedy(mistake: Mistake) -> Mistake:
    if "interval(" not in mistake.origin or "whole number" not in mistake.problem:
        return mistake
    return replace(mistake, remedy="whole numbers are int(interval(LOW,HIGH))")


def _mistakes_of(first: Member) -> Iterator[Mistake]:
    """What no job of its own would be wrong with."""
    job, search = first.job, first.job.sweep.search
    if job.run.id is not None:
        problem = f"{job.run.id!r} would be the name of every trial"
        yield Mistake("run.id", problem, "", "leave run.id out, and each gets a name of its own")
    metric, direction = _metric_of(job.sweep), _direction_of(job.sweep)
    column = search.prune_on or _column(first, metric)
    if search.prune_on and is_less_better(column) != (direction == "min"):
        problem = (
            f"{column!r} gets better the other way than {metric!r}, by which trials are judged"
        )
        yield Mistake("sweep.search.prune_on", problem, "", "name a column that goes the same way")
    if importlib.util.find_spec("optuna") is None:
        problem = "a search needs optuna, which is not installed"
        yield Mistake("sweep.search", problem, "", "pip install optuna")


def _metric_of(sweep: Sweep) -> str:
    return sweep.search.metric or sweep.metric or _METRIC


def _direction_of(sweep: Sweep) -> Direction:
    if sweep.search.direction:
        return "min" if sweep.search.direction == "minimize" else "max"
    return sweep.direction or ("min" if is_less_better(_metric_of(sweep)) else "max")


def _column(first: Member, metric: str) -> str:
    """With measurings of the test set those, for the metric at the end is theirs, too."""
    return f"test_{metric}" if first.job.mode.evaluate_every else metric


def _plain(dimension: Dimension) -> Any:
    values = dimension.values
    return [c.text for c in values] if isinstance(values, tuple) else asdict(values)
