"""What may stand behind `python run.py repeat`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.errors import ConfigError, Mistake
from pipeline.messages.spelling import nearest_or_all, shortened
from pipeline.storage import is_url

COMMAND = "repeat"
# What changes nothing of the result: where data, results, and the run's folder are.
_FOLDERS = ("cluster.data_dir", "cluster.output_dir", "cluster.export_url")
PLACES = (*_FOLDERS, "run.id")
_WITH_VALUE = ("--from", "--config-dir")


@dataclass
class Options:
    """The run as it was named, the place of its export if one is named, and `key=value` typed."""

    name: str = ""
    place: str = ""
    config_dirs: list[str] = field(default_factory=list)
    values: dict[str, str] = field(default_factory=dict)


def read_options(tokens: Sequence[str]) -> Options:
    """Reads the command line, in which the word `repeat` stands somewhere.

    >>> read_options(["repeat", "a", "run.id=b"])
    Options(name='a', place='', config_dirs=[], values={'run.id': 'b'})

    Raises:
        ConfigError: with all that is wrong with it.
    """
    waiting, found = list(tokens), Options()
    waiting.remove(COMMAND)
    names: list[str] = []
    mistakes: list[Mistake] = []
    while waiting:
        token = waiting.pop(0)
        flag, equals, value = token.partition("=")
        if flag in _WITH_VALUE or flag == "-cd":
            value = value if equals else (waiting.pop(0) if waiting else "")
            mistakes += _keep(found, flag, value)
        elif token.startswith("-"):
            remedy = nearest_or_all(flag, _WITH_VALUE)
            problem = f"means nothing to the command {COMMAND}"
            mistakes.append(Mistake(shortened(token), problem, remedy=remedy))
        elif equals and "/" not in flag:
            # As for a job, a relative place counts from where one stands.
            is_path = flag in _FOLDERS and value and not is_url(value)
            found.values[flag] = str(Path.cwd() / value) if is_path else value
        elif token:
            names.append(token)
    if len(names) != 1:
        named = shortened(" ".join(names)) or COMMAND
        remedy = f"write {COMMAND} RUN: an id, a part of one, a run folder, or the URL of an export"
        mistakes.append(Mistake(named, "expected one run to repeat", remedy=remedy))
    if mistakes:
        raise ConfigError(mistakes)
    found.name = names[0]
    return found


def _keep(found: Options, flag: str, value: str) -> list[Mistake]:
    if not value:
        return [Mistake(flag, "needs a value", remedy=f"write {flag} VALUE")]
    if flag == "--from":
        found.place = value
    else:
        found.config_dirs.append(value)
    return []
