"""What stands on the command line, token by token: commands, settings, Hydra's own flags.

Nothing is looked up here but names; what a flag means is decided when the configuration
is known. Values are kept byte for byte. argparse-style abbreviations never match.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from pipeline.errors import Mistake
from pipeline.spelling import nearest_or_all

# Hydra's own information flags and how many values each takes ("?" is one or none).
_HYDRA_FLAGS = {
    "--help": 0,
    "-h": 0,
    "--hydra-help": 0,
    "--version": 0,
    "--resolve": 0,
    "--cfg": 1,
    "-c": 1,
    "--package": 1,
    "-p": 1,
    "--shell-completion": 1,
    "-sc": 1,
    "--info": "?",
    "-i": "?",
}
_INFO_TOPICS = ("all", "config", "defaults", "defaults-tree", "plugins", "searchpath")
_REFUSED = {
    "--config-path": "the project's configuration is always conf/; add a folder with --config-dir",
    "-cp": "the project's configuration is always conf/; add a folder with --config-dir",
    "--config-name": "the first file is always config.yaml; use experiment=NAME for a recipe",
    "-cn": "the first file is always config.yaml; use experiment=NAME for a recipe",
    "--experimental-rerun": "repeat a run with the command that its summary prints",
}
_KEY = re.compile(r"(?P<sign>\+\+|\+|~|)(?P<key>[^\s=+~'\"{}$,]+)")


@dataclass(frozen=True)
class Setting:
    """One `key=value` or `--name value`, as it was typed.

    `sign` is Hydra's `+`, `++` or `~`; `value` is None where none was given;
    `is_flag` marks `--name`; `is_exact` marks `--text`.
    """

    token: str
    key: str
    value: str | None
    sign: str = ""
    is_flag: bool = False
    is_exact: bool = False


@dataclass
class Arguments:
    """The command line, taken apart, in the order it was typed."""

    commands: list[str] = field(default_factory=list)
    settings: list[Setting] = field(default_factory=list)
    config_dirs: list[str] = field(default_factory=list)
    hydra_flags: list[str] = field(default_factory=list)
    is_multirun: bool = False
    mistakes: list[Mistake] = field(default_factory=list)


def read(argv: Sequence[str], *, commands: Collection[str], roots: Collection[str]) -> Arguments:
    """Takes the command line apart; what cannot be understood becomes a mistake.

    `roots` are the first parts of keys; they tell the override after a flag from its value.

    >>> found = read(["--mode=infer", "plan", "a.b=1=2"], commands=["plan"], roots=["mode", "a"])
    >>> found.commands, [(s.key, s.value) for s in found.settings]
    (['plan'], [('mode', 'infer'), ('a.b', '1=2')])
    """
    return _Reader(argv, commands, roots).read()


class _Reader:
    def __init__(
        self, argv: Sequence[str], commands: Collection[str], roots: Collection[str]
    ) -> None:
        self.waiting = list(argv)
        self.known_commands = commands
        self.roots = roots
        self.found = Arguments()
        self.flags_ended = False

    def read(self) -> Arguments:
        while self.waiting:
            token = self.waiting.pop(0)
            if token == "--" and not self.flags_ended:
                self.flags_ended = True
            elif token.startswith("-") and len(token) > 1 and not self.flags_ended:
                self._read_flag(token)
            elif token:
                self._read_word(token)
        return self.found

    def _read_flag(self, token: str) -> None:
        name, _, value = token.partition("=")
        given = value if "=" in token else None
        if token in ("-m", "--multirun"):
            self.found.is_multirun = True
        elif token in ("-r", "--run"):
            self.found.is_multirun = False
        elif name in _REFUSED:
            self._wrong(token, "means nothing here", _REFUSED[name])
        elif name in _HYDRA_FLAGS:
            self._read_hydra_flag(name, given)
        elif name in ("--config-dir", "-cd"):
            folder = self._value(name, given)
            self.found.config_dirs += [folder] if folder else []
        elif name == "--text":
            self._read_text(self._value(name, given))
        else:
            self._read_setting_flag(token, name, given)

    def _read_hydra_flag(self, name: str, given: str | None) -> None:
        arity = _HYDRA_FLAGS[name]
        topic_follows = bool(self.waiting) and self.waiting[0] in _INFO_TOPICS
        self.found.hydra_flags.append(name)
        if arity == 1 or given is not None or (arity == "?" and topic_follows):
            self.found.hydra_flags.append(self._value(name, given))

    def _read_text(self, pair: str) -> None:
        key, equals, value = pair.partition("=")
        if equals and _KEY.fullmatch(key):
            match = _KEY.fullmatch(key)
            sign = match["sign"] if match else ""
            self.found.settings.append(
                Setting(f"--text {pair}", key[len(sign) :], value, sign, is_exact=True)
            )
        elif pair:
            self._wrong(f"--text {pair}", "is not key=VALUE", "write --text mode.checkpoint=VALUE")

    def _read_setting_flag(self, token: str, name: str, given: str | None) -> None:
        key = name.lstrip("-")
        if not key:
            self._wrong(token, "is a flag without a name", "write --name=value")
            return
        if given is None and self.waiting and self._is_value(self.waiting[0]):
            given = self.waiting.pop(0)
            token = f"{token} {given}"
        self.found.settings.append(Setting(token, key, given, is_flag=True))

    def _is_value(self, token: str) -> bool:
        if token.startswith("-"):
            return re.fullmatch(r"-\d[\d.e+-]*", token) is not None
        match = _KEY.match(token)
        if match and token[match.end() :].startswith("="):
            return re.split(r"[./@]", match["key"])[0] not in self.roots
        return True

    def _read_word(self, token: str) -> None:
        key, equals, value = token.partition("=")
        match = _KEY.fullmatch(key)
        if equals and match:
            self.found.settings.append(Setting(token, match["key"], value, match["sign"]))
        elif match and match["sign"] == "~":
            self.found.settings.append(Setting(token, match["key"], None, "~"))
        elif equals:
            self._wrong(token, f"has no key before '=' ({key!r})", "write key=value")
        elif token in self.known_commands:
            self.found.commands.append(token)
        else:
            remedy = nearest_or_all(token, self.known_commands)
            self._wrong(token, "is neither a command nor key=value", remedy)

    def _value(self, name: str, given: str | None) -> str:
        if given is not None:
            return given
        if self.waiting:
            return self.waiting.pop(0)
        self._wrong(name, "needs a value", f"write {name} VALUE")
        return ""

    def _wrong(self, token: str, problem: str, remedy: str) -> None:
        self.found.mistakes.append(Mistake(token, problem, "the command line", remedy))
