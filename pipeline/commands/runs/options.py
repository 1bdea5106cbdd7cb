"""What may stand behind `python run.py runs`: what to do, with which runs, from where.

Here `group=choice` is a filter and chooses nothing; only `cluster.output_dir` and the other keys
below `cluster.` say, as for a job, where runs lie.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from pipeline.commands.runs import filters
from pipeline.commands.runs.filters import Filters
from pipeline.errors import ConfigError, Mistake
from pipeline.messages.spelling import nearest_or_all, shortened

COMMAND = "runs"
SHOW = "show"

_WITH_VALUE = ("--from", "--config-dir")
_SWITCHES = ("--json", "--all")
_REPORT = "--report"
_PLACE = re.compile(r"cluster\.[\w.]+=.*", re.DOTALL)


@dataclass
class Options:
    """The words, taken apart; `place` is empty for the output folders of this machine."""

    is_show: bool = False
    names: list[str] = field(default_factory=list)
    filters: Filters = field(default_factory=Filters)
    place: str = ""
    is_json: bool = False
    # The file for the page of the run to show; empty for its folder, None where no page is wanted.
    report: str | None = None
    with_put_aside: bool = False
    # What says where the output folders are, as for a job.
    settings: list[str] = field(default_factory=list)


def read_options(tokens: Sequence[str]) -> Options:
    """Reads the command line, in which the word `runs` stands somewhere.

    >>> found = read_options(["runs", "model=mlp", "accuracy>=0.9", "--json"])
    >>> found.filters.facts, found.filters.bounds[0].metric, found.is_json
    ({'model': ('mlp',)}, 'accuracy', True)

    Raises:
        ConfigError: with all that is wrong with it.
    """
    return _Reader(tokens).read()


class _Reader:
    def __init__(self, tokens: Sequence[str]) -> None:
        self.waiting = list(tokens)
        self.waiting.remove(COMMAND)
        self.found = Options()
        self.mistakes: list[Mistake] = []

    def read(self) -> Options:
        """Everything that was typed, or all that is wrong with it."""
        while self.waiting:
            token = self.waiting.pop(0)
            if token.startswith("-") and len(token) > 1:
                self._read_flag(token)
            elif token:
                self._read_word(token)
        self._check_number()
        if self.mistakes:
            raise ConfigError(self.mistakes)
        return self.found

    def _read_flag(self, token: str) -> None:
        name, equals, value = token.partition("=")
        name = "--config-dir" if name == "-cd" else name
        if name == _REPORT:
            self.found.report = value
        elif name in _SWITCHES and not equals:
            self.found.is_json = self.found.is_json or name == "--json"
            self.found.with_put_aside = self.found.with_put_aside or name == "--all"
        elif name in _WITH_VALUE:
            value = value if equals else (self.waiting.pop(0) if self.waiting else "")
            self._keep(name, value)
        else:
            remedy = nearest_or_all(name, (*_WITH_VALUE, *_SWITCHES, _REPORT))
            self._wrong(token, f"means nothing to the command {COMMAND}", remedy)

    def _keep(self, name: str, value: str) -> None:
        if not value:
            self._wrong(name, "needs a value", f"write {name} VALUE")
        elif name == "--from":
            self.found.place = value
        else:
            self.found.settings += [name, value]

    def _read_word(self, token: str) -> None:
        if _PLACE.fullmatch(token):
            self.found.settings.append(token)
        elif "=" in token or "<" in token or ">" in token:
            self.mistakes += filters.add(self.found.filters, token)
        elif token == SHOW and not self.found.names and not self.found.is_show:
            self.found.is_show = True
        else:
            self.found.names.append(token)

    def _check_number(self) -> None:
        found = self.found
        if found.report is not None and (not found.is_show or found.is_json):
            self._wrong(_REPORT, "is of one run", f"write {COMMAND} {SHOW} RUN {_REPORT}")
        if found.is_show and len(found.names) != 1:
            what = " ".join(found.names) or SHOW
            self._wrong(what, "expected one run to show", f"write {COMMAND} {SHOW} RUN")
        elif len(found.names) == 1 and not found.is_show:
            remedy = f"write {COMMAND} {SHOW} {found.names[0]}, or a second run to compare it with"
            self._wrong(found.names[0], "is one run alone", remedy)

    def _wrong(self, token: str, problem: str, remedy: str) -> None:
        self.mistakes.append(Mistake(shortened(token), problem, remedy=remedy))
