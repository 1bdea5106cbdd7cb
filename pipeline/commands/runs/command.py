"""The command itself: from words to what is shown."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pipeline import errors
from pipeline.commands.runs import (
    comparing,
    exported,
    filters,
    finding,
    listing,
    reporting,
    showing,
)
from pipeline.commands.runs.chart import LETTERS
from pipeline.commands.runs.options import Options, read_options
from pipeline.commands.runs.record import Run
from pipeline.configuration import arguments, compose
from pipeline.disk.plain import plain
from pipeline.errors import ConfigError, Mistake
from pipeline.messages import console
from pipeline.messages.console import counted
from pipeline.storage import is_url


def main(argv: Sequence[str], root: Path) -> int:
    """Shows what the words behind `runs` ask for; gives the exit code.

    Raises:
        ConfigError: the words are wrong, or a run that they name is not there.
        StorageError: the place that they name does not answer.
    """
    options = read_options(argv)
    named, runs = _named(options, root)
    if options.report is not None:
        console.say(str(reporting.page_of(named[0], options.report)))
    elif options.is_show:
        _tell(options, lambda: showing.as_plain(named[0]), lambda: showing.show(named[0]))
    elif named:
        _tell(options, lambda: comparing.as_plain(named), lambda: comparing.show(named))
    else:
        _list(options, runs)
    return errors.DONE


def output_folders(settings: Sequence[str], root: Path) -> list[Path]:
    """Where runs lie on this machine, by the configuration and these words of the command line.

    Raises:
        ConfigError: the configuration or the words are wrong.
    """
    found = arguments.read(settings, commands=(), roots=compose.roots(root))
    places = compose.output_dirs(found, root=root, current_folder=Path.cwd(), variables=os.environ)
    return [Path(place) for place in places]


def find_all(names: Sequence[str], known: Callable[[], Sequence[Run]]) -> list[Run]:
    """The runs that are named; `known` is asked only where a name is no URL and no folder.

    Raises:
        ConfigError: with every name that is not that of one run.
    """
    found: list[Run] = []
    mistakes: list[Mistake] = []
    for name in names:
        try:
            found.append(_find(name, known))
        except ConfigError as error:
            mistakes += error.mistakes
    if mistakes:
        # What is wrong with the configuration keeps every name from being looked for.
        raise ConfigError(list(dict.fromkeys(mistakes)))
    return found


def _find(name: str, known: Callable[[], Sequence[Run]]) -> Run:
    if not is_url(name):
        return finding.find(name, known())
    run = exported.run_at(name)
    if run is None:
        remedy = "write the URL of the folder that holds its manifest.json"
        raise ConfigError([Mistake(name, "no run lies there", "", remedy)])
    return run


def _named(options: Options, root: Path) -> tuple[list[Run], list[Run]]:
    """The runs that are named, and all that there are where others are asked for."""
    runs: list[Run] = []

    def known() -> Sequence[Run]:
        if not runs:
            runs.extend(_all(options, root))
        return runs

    if len(options.names) > len(LETTERS):
        problem = f"{len(options.names)} runs at once: expected at most {len(LETTERS)}"
        raise ConfigError([Mistake("runs", problem, "", "compare fewer, or take --json of each")])
    named = find_all(options.names, known)
    if not named:
        known()
    return named, runs


def _all(options: Options, root: Path) -> list[Run]:
    if options.place:
        found = exported.at(options.place)
        exported.tell_passed_over(found)
        return list(found.runs)
    return finding.in_folders(output_folders(options.settings, root))


def _tell(options: Options, as_plain: Callable[[], Any], show: Callable[[], None]) -> None:
    if options.is_json:
        console.say(json.dumps(plain(as_plain()), indent=2))
    else:
        show()


def _list(options: Options, runs: Sequence[Run]) -> None:
    visible = [run for run in runs if options.with_put_aside or not run.is_aside]
    chosen = filters.admitted(options.filters, visible)
    if options.is_json:
        console.say(json.dumps(plain([run.as_plain() for run in chosen]), indent=2))
        return
    if chosen:
        listing.show(chosen)
    elif visible:
        console.say(f"{filters.explain_none(options.filters, visible)} ({_count(visible)})")
    else:
        console.say("no run is there yet; python run.py starts one")
    hidden = len(runs) - len(visible)
    if hidden:
        text = f"{counted(hidden, 'run')} put aside by a new start not shown (--all shows them)"
        console.say(text, "dim", to_errors=True)


def _count(runs: Sequence[Run]) -> str:
    return f"{counted(len(runs), 'run')} in all"
