"""From the command line to a command, and from errors to exit codes."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from pipeline import errors
from pipeline.commands import hydra_entry
from pipeline.configuration import arguments, compose
from pipeline.configuration.arguments import Arguments
from pipeline.configuration.compose import Composed
from pipeline.errors import Mistake
from pipeline.running import completion, preparation, steps
from pipeline.stage import find_all
from pipeline.starting import commands, process, relatives, single, views
from pipeline.starting.assignment import Assignment

COMMANDS = ("plan", "runs", "repeat", "doctor", "bundle")


def main(argv: Sequence[str], root: Path) -> int:
    """Does what the command line says; the exit code is the contract's.

    `root` is the folder of run.py: there lies conf/, and relative paths in YAML count from it.
    """
    return process.run(lambda: _dispatch(argv, root))


def _dispatch(argv: Sequence[str], root: Path) -> int:
    current_folder = Path.cwd()
    found = arguments.read(argv, commands=COMMANDS, roots=compose.roots(root))
    if len(found.commands) > 1:
        problem = "one command at a time"
        found.mistakes.append(Mistake(" ".join(found.commands), problem, "the command line"))
    if found.is_multirun and "doctor" in found.commands:
        problem = "a sweep can be run or planned, nothing else"
        found.mistakes.append(Mistake("-m", problem, "the command line", "leave out -m"))
    if "bundle" in found.commands:
        # It reads its own flags, and nothing of it is needed by any other command.
        from pipeline.commands import bundle

        return bundle.main(argv, root)
    if "runs" in found.commands:
        from pipeline.commands import runs

        return runs.main(argv, root)
    if "repeat" in found.commands:
        from pipeline.commands import repeat

        return repeat.main(argv, root)
    if found.hydra_flags and not found.mistakes:
        return hydra_entry.answer(found, root=root, current_folder=current_folder)
    if found.is_multirun and "doctor" not in found.commands:
        # Most starts run one job, and need nothing of it.
        from pipeline.commands import sweeping

        return sweeping.main(found, root)
    composed = compose.compose(
        found, root=root, current_folder=current_folder, variables=os.environ
    )
    if "plan" in found.commands:
        return _plan(composed, found)
    if "doctor" in found.commands:
        return _doctor(composed, found)
    return _run(composed, found, argv)


def _plan(composed: Composed, found: Arguments) -> int:
    context = preparation.prepare(composed.job, commands.resume(found, _start_file()))
    stages, _ = find_all(composed.job.mode.stages)
    decided, previous = steps.foresee(stages, context), context.previous
    is_done = previous is not None and completion.looks_complete(context, decided)
    if previous and is_done:
        decided = completion.settled(decided)
    news = relatives.difference(context, composed.mapping)
    views.show_plan(context, decided, is_result=True, news=news)
    if previous and is_done:
        views.show_done(previous, context.folder, context.manifest.command)
    single.tell(composed.notes)
    return errors.DONE


def _doctor(composed: Composed, found: Arguments) -> int:
    # No other command needs what it looks with.
    from pipeline.commands import doctor

    exit_code = doctor.main(composed, found)
    single.tell(composed.notes)
    return exit_code


def _run(composed: Composed, found: Arguments, argv: Sequence[str]) -> int:
    start_file, job = _start_file(), composed.job
    assignment = Assignment(
        job, composed.mapping, commands.resume(found, start_file), notes=composed.notes
    )
    return single.run(
        assignment,
        start=[sys.executable, sys.argv[0], *argv],
        next_command=lambda ended: commands.following(found, start_file, job=job, manifest=ended),
    )


def _start_file() -> str:
    return sys.argv[0] or "run.py"
