"""All jobs of a sweep, composed and checked before the first starts; all mistakes at once."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from pipeline.commands.sweeping.expanding import Variant
from pipeline.configuration import compose
from pipeline.configuration.validation import uncertain_calls
from pipeline.context import Context
from pipeline.errors import ConfigError, MindRunError, Mistake
from pipeline.job.calls import Call
from pipeline.job.job import Job
from pipeline.job.probe import probe
from pipeline.manifest import Manifest
from pipeline.messages.masking import masked
from pipeline.processes import world
from pipeline.running import completion, preparation, steps
from pipeline.running.steps import Step
from pipeline.stage import find_all
from pipeline.starting import commands
from pipeline.starting.assignment import Assignment

_MOST_NAMED = 8

_Variables = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Member:
    """One job of a sweep, ready to be started; `twins` are the numbers of those that equal it."""

    number: int
    overrides: Mapping[str, str]
    assignment: Assignment
    context: Context
    decided: Sequence[Step]
    twins: tuple[int, ...] = field(default=())

    @property
    def job(self) -> Job:
        """The job itself."""
        return self.assignment.job

    @property
    def run_id(self) -> str:
        """The name of its run's folder."""
        return self.job.run_id

    @property
    def folder(self) -> Path:
        """Its run's folder."""
        return self.context.folder

    @property
    def previous(self) -> Manifest | None:
        """What its run's folder says, if there is one."""
        return self.context.previous

    @property
    def words(self) -> str:
        """What it differs in from the others, in one line."""
        return words_of(self.overrides)

    def looks_complete(self) -> bool:
        """Whether its run is complete, as far as files on this machine tell."""
        return completion.looks_complete(self.context, self.decided)

    def is_complete(self) -> bool:
        """Whether its run is complete; the places of its inputs and of its export are asked."""
        if not self.looks_complete():
            return False
        stages, _ = find_all(self.job.mode.stages)
        try:
            steps.ask(stages, self.context)
            return completion.is_complete(self.context, steps.foresee(stages, self.context))
        except MindRunError:
            # Its own process says what is wrong.
            return False


def words_of(overrides: Mapping[str, str]) -> str:
    """These overrides in one line for people.

    >>> words_of({"seed": "1", "model": "mlp"}), words_of({})
    ('seed=1 model=mlp', 'as it is')
    """
    return " ".join(f"{key}={value}" for key, value in masked(overrides).items()) or "as it is"


def compose_all(
    variants: Sequence[Variant], *, root: Path, current_folder: Path, start_file: str
) -> list[Member]:
    """The jobs; of several that are the same run, the first stands for all.

    Raises:
        ConfigError: with the mistakes of all jobs, each with the jobs that have it.
    """
    members: list[Member] = []
    mistakes: dict[Mistake, list[int]] = {}
    for number, variant in enumerate(variants, start=1):
        try:
            members.append(
                compose_one(
                    number, variant, root=root, current_folder=current_folder, start_file=start_file
                )
            )
        except ConfigError as error:
            for mistake in dict.fromkeys(error.mistakes):
                mistakes.setdefault(mistake, []).append(number)
    for mistake, numbers in (*_clashes(members), *of_all(members)):
        mistakes.setdefault(mistake, []).extend(numbers)
    if mistakes:
        words = {n: words_of(v.overrides) for n, v in enumerate(variants, start=1)}
        raise ConfigError([_placed(m, numbers, words) for m, numbers in mistakes.items()])
    return _without_twins(members)


def compose_one(
    number: int, variant: Variant, *, root: Path, current_folder: Path, start_file: str
) -> Member:
    """The job of one command line, checked as far as that takes no other process.

    Raises:
        ConfigError: with every mistake found; nothing was written or fetched.
    """
    composed = compose.compose(
        variant.arguments, root=root, current_folder=current_folder, variables=os.environ
    )
    job = composed.job
    command = commands.resume(variant.arguments, start_file)
    context = preparation.prepare(job, command)
    stages, _ = find_all(job.mode.stages)
    assignment = Assignment(
        job, composed.mapping, command, notes=tuple(composed.notes), is_probed=True
    )
    return Member(number, variant.overrides, assignment, context, steps.foresee(stages, context))


def probe_all(members: Iterable[Member]) -> None:
    """What only an import can check is imported by way of trial, once for all jobs.

    Raises:
        ConfigError: a target cannot be imported or does not take its arguments.
    """
    found: dict[Mistake, list[int]] = {}
    words = {member.number: member.words for member in members}
    for environment, doubts in _doubts(members).items():
        keys = {str(number): doubt for number, doubt in enumerate(doubts.values())}
        calls = {number: doubt.call for number, doubt in keys.items()}
        for number, problems in probe(calls, {**dict(environment), **os.environ}).items():
            for problem in problems:
                key = f"{keys[number].key}.{problem.argument}"
                mistake = Mistake(key, problem.text, "", problem.remedy)
                found.setdefault(mistake, []).extend(keys[number].numbers)
    if found:
        raise ConfigError([_placed(m, numbers, words) for m, numbers in found.items()])


@dataclass
class _Doubt:
    """A component that only an import can check, and the jobs that have it."""

    key: str
    call: Call
    numbers: list[int] = field(default_factory=list)


def _doubts(members: Iterable[Member]) -> dict[_Variables, dict[str, _Doubt]]:
    """Every doubt once, by the variables that its import needs."""
    found: dict[_Variables, dict[str, _Doubt]] = {}
    for member in members:
        variables = tuple(sorted(member.job.device.env.items()))
        for key, call in uncertain_calls(member.job).items():
            # What an argument holds does not matter to whether it is taken.
            alike = repr(
                (call.target, call.positional, [*call.arguments], call.given, call.offered)
            )
            doubts = found.setdefault(variables, {})
            doubts.setdefault(alike, _Doubt(key, call)).numbers.append(member.number)
    return found


def _without_twins(members: Sequence[Member]) -> list[Member]:
    kept: dict[str, Member] = {}
    for member in members:
        first = kept.setdefault(member.run_id, member)
        if first is not member:
            twins = (*first.twins, member.number)
            kept[member.run_id] = replace(first, twins=twins)
    return list(kept.values())


def _clashes(members: Sequence[Member]) -> Iterator[tuple[Mistake, list[int]]]:
    """Other jobs under one chosen name would put each other's results aside."""
    firsts: dict[str, Member] = {}
    for member in members:
        first = firsts.setdefault(member.run_id, member)
        if first.job.digest != member.job.digest:
            problem = f"{member.run_id!r} is the name of job {first.number}, too, which is another"
            remedy = "leave run.id out, and each gets a name of its own"
            yield Mistake("run.id", problem, "", remedy), [member.number]


def of_all(members: Sequence[Member]) -> Iterator[tuple[Mistake, list[int]]]:
    """What counts for the whole sweep is one thing, and this process is no rank of a job."""
    for member in members:
        if member.job.sweep != members[0].job.sweep:
            problem = f"another sweep than that of job {members[0].number}: one counts for all"
            yield Mistake("sweep", problem, "", "set sweep.* on the command line"), [member.number]
    names = members[0].job.cluster.world.model_dump() if members else {}
    if members and world.is_inside(names, os.environ) and world.read(names, os.environ).has_company:
        problem = "a launcher has started several processes, and each would start all jobs"
        remedy = "start the sweep outside of it, or the jobs one by one"
        yield Mistake("-m", problem, "the environment", remedy), [m.number for m in members]


def _placed(mistake: Mistake, numbers: Sequence[int], words: Mapping[int, str]) -> Mistake:
    """The mistake with the jobs that have it, unless all do."""
    if len(words) == 1 or len(numbers) == len(words):
        return mistake
    if len(numbers) == 1:
        return replace(mistake, key=f"job {numbers[0]} ({words[numbers[0]]}): {mistake.key}")
    more = f" and {len(numbers) - _MOST_NAMED} more" if len(numbers) > _MOST_NAMED else ""
    listed = ", ".join(map(str, numbers[:_MOST_NAMED]))
    return replace(mistake, key=f"jobs {listed}{more}: {mistake.key}")
