"""From the command line to a command, and from errors to exit codes."""

from __future__ import annotations

import os
import shlex
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn

from pipeline import (
    arguments,
    compose,
    console,
    errors,
    hydra_entry,
    log,
    preparation,
    runner,
    steps,
    views,
)
from pipeline.compose import Composed
from pipeline.errors import ConfigError, MindRunError, Mistake
from pipeline.masking import mask
from pipeline.stage import find_all
from pipeline.validation import probe_components

COMMANDS = ("plan",)

_HEADLINE = "the job is wrong, nothing ran:"


def main(argv: Sequence[str], root: Path) -> int:
    """Does what the command line says; the exit code is the contract's.

    `root` is the folder of run.py: there lies conf/, and relative paths in YAML count from it.
    """
    log.to_terminal()
    signal.signal(signal.SIGTERM, _terminate)
    try:
        return _dispatch(argv, root)
    except ConfigError as error:
        _show_mistakes(error.mistakes)
        return error.exit_code
    except MindRunError as error:
        console.say(f"{error}", "red", to_errors=True)
        return error.exit_code
    except KeyboardInterrupt as interrupt:
        console.say("stopped", "yellow", to_errors=True)
        is_terminated = isinstance(interrupt, runner.Terminated)
        return errors.TERMINATED if is_terminated else errors.INTERRUPTED


def _dispatch(argv: Sequence[str], root: Path) -> int:
    current_folder = Path.cwd()
    found = arguments.read(argv, commands=COMMANDS, roots=compose.roots(root))
    if len(found.commands) > 1:
        problem = "one command at a time"
        found.mistakes.append(Mistake(" ".join(found.commands), problem, "the command line"))
    if found.is_multirun:
        remedy = "start the jobs one by one"
        found.mistakes.append(Mistake("-m", "sweeps are not there yet", "the command line", remedy))
    if found.hydra_flags and not found.mistakes:
        return hydra_entry.answer(found, root=root, current_folder=current_folder)
    composed = compose.compose(found, root=root, current_folder=current_folder)
    if "plan" in found.commands:
        return _plan(composed, argv)
    return _run(composed, argv)


def _plan(composed: Composed, argv: Sequence[str]) -> int:
    context = preparation.prepare(composed.job, _command(argv))
    stages, _ = find_all(composed.job.mode.stages)
    views.show_plan(context, steps.decide(stages, context), is_result=True)
    _tell(composed.notes)
    return errors.DONE


def _run(composed: Composed, argv: Sequence[str]) -> int:
    job, command = composed.job, _command(argv)

    def before_work(decided: Sequence[steps.Step]) -> None:
        probe_components(job, os.environ)
        context = preparation.prepare(job, command)
        views.show_plan(context, decided, is_result=False)
        _tell(composed.notes)

    outcome = runner.run(job, command=command, config=composed.mapping, before_work=before_work)
    views.show_summary(outcome, command)
    _tell(composed.notes)
    return outcome.exit_code


def _command(argv: Sequence[str]) -> str:
    """The command that goes on with this run: the same one, without starting anew."""
    kept = [token for token in argv if not token.lstrip("-").startswith("run.fresh=")]
    return shlex.join(["python", sys.argv[0] or "run.py", *kept])


def _tell(notes: Sequence[str]) -> None:
    for note in notes:
        console.say(f"note: {note}", "yellow", to_errors=True)


def _show_mistakes(mistakes: Sequence[Mistake]) -> None:
    console.say(_HEADLINE, "bold red", to_errors=True)
    for mistake in mistakes:
        console.say(f"  {mask(str(mistake))}", to_errors=True)


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    del number, frame
    raise runner.Terminated
