"""From the command line to a command, and from errors to exit codes."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn

from pipeline import (
    arguments,
    commands,
    completion,
    compose,
    console,
    errors,
    hydra_entry,
    log,
    preparation,
    ranks,
    relatives,
    runner,
    steps,
    stopping,
    views,
)
from pipeline.arguments import Arguments
from pipeline.compose import Composed
from pipeline.context import Context
from pipeline.errors import ConfigError, MindRunError, Mistake
from pipeline.masking import mask
from pipeline.stage import find_all
from pipeline.steps import Step
from pipeline.validation import probe_components
from pipeline.world import World

COMMANDS = ("plan", "doctor", "bundle")

_HEADLINE = "the job is wrong, nothing ran:"


def main(argv: Sequence[str], root: Path) -> int:
    """Does what the command line says; the exit code is the contract's.

    `root` is the folder of run.py: there lies conf/, and relative paths in YAML count from it.
    """
    console.bear_any_text()
    log.to_terminal()
    signal.signal(signal.SIGTERM, _terminate)
    sys.excepthook = ranks.show_masked
    with ranks.Leaving() as leaving:
        leaving.exit_code = _answer(argv, root)
    return leaving.exit_code


def _answer(argv: Sequence[str], root: Path) -> int:
    try:
        return errors.DONE if ranks.schedule_if_asked(os.environ) else _dispatch(argv, root)
    except ConfigError as error:
        _show_mistakes(error.mistakes)
        return error.exit_code
    except MindRunError as error:
        console.say(f"{error}", "red", to_errors=True)
        return error.exit_code
    except OSError as error:
        console.say(f"{error}; nothing more was done", "red", to_errors=True)
        return errors.FAILED
    except KeyboardInterrupt as interrupt:
        console.say("stopped", "yellow", to_errors=True)
        is_terminated = isinstance(interrupt, stopping.Terminated)
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
    if "bundle" in found.commands:
        # It reads its own flags, and nothing of it is needed by any other command.
        from pipeline import bundle

        return bundle.main(argv, root)
    if found.hydra_flags and not found.mistakes:
        return hydra_entry.answer(found, root=root, current_folder=current_folder)
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
    _tell(composed.notes)
    return errors.DONE


def _doctor(composed: Composed, found: Arguments) -> int:
    # No other command needs what it looks with.
    from pipeline import doctor

    exit_code = doctor.main(composed, found)
    _tell(composed.notes)
    return exit_code


def _run(composed: Composed, found: Arguments, argv: Sequence[str]) -> int:
    job, command = composed.job, commands.resume(found, _start_file())

    def before_work(context: Context, decided: Sequence[Step]) -> None:
        probe_components(job, os.environ)
        news = relatives.difference(context, composed.mapping)
        views.show_plan(context, decided, is_result=False, news=news)
        _tell(composed.notes)

    def as_first(here: World) -> int:
        ended = runner.run(
            job, command=command, config=composed.mapping, before_work=before_work, here=here
        )
        following = commands.following(found, _start_file(), job=job, manifest=ended.manifest)
        views.show_summary(ended, command=command, next_command=following)
        _tell(composed.notes)
        return ended.exit_code

    return ranks.run(job, command=command, argv=argv, as_first=as_first)


def _start_file() -> str:
    return sys.argv[0] or "run.py"


def _tell(notes: Sequence[str]) -> None:
    for note in notes:
        console.say(f"note: {note}", "yellow", to_errors=True)


def _show_mistakes(mistakes: Sequence[Mistake]) -> None:
    console.say(_HEADLINE, "bold red", to_errors=True)
    for mistake in mistakes:
        console.say(f"  {mask(str(mistake))}", to_errors=True)


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    del number, frame
    raise stopping.Terminated
