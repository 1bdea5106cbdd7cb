"""What stands on the command line, token by token: commands, settings, Hydra's own flags.

Nothing is looked up here but names; what a flag means is decided when the configuration
is known. Values are kept byte for byte. argparse-style abbreviations never match.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from pipeline.errors import Mistake
from pipeline.messages.spelling import did_you_mean, nearest_or_all, shortened

# Hydra's own information flags, by every name they have.
_HYDRA_FLAGS = {
    "-h": "--help",
    "-c": "--cfg",
    "-p": "--package",
    "-sc": "--shell-completion",
    "-i": "--info",
    **{name: name for name in ("--help", "--hydra-help", "--version", "--resolve")},
    **{name: name for name in ("--cfg", "--package", "--shell-completion", "--info")},
}
_WITH_VALUE = ("--cfg", "--package", "--shell-completion")
_TOPICS = {
    "--cfg": ("job", "hydra", "all"),
    "--info": ("all", "config", "defaults", "defaults-tree", "plugins", "searchpath"),
}
_FIXED_PATH = "the configuration is always conf/ beside run.py; add a folder with --config-dir"
_FIXED_NAME = "the first file is always config.yaml; choose a recipe with experiment=NAME"
_REFUSED = {
    "--config-path": _FIXED_PATH,
    "-cp": _FIXED_PATH,
    "--config-name": _FIXED_NAME,
    "-cn": _FIXED_NAME,
    "--experimental-rerun": "repeat a run with the command that its summary prints",
}
_KEY = re.compile(r"(?P<sign>\+\+|\+|~|)(?P<key>[^\s=+~'\"{}$,]+)")


@dataclass(frozen=True)
class Setting:
    """One `key=value` or `--name value`, as it was typed.

    `sign` is Hydra's `+`, `++` or `~`; `value` is None where none was given;
    `is_flag` marks `--name`; `is_exact` marks `--text`; `source` is empty for what was typed.
    """

    token: str
    key: str
    value: str | None
    sign: str = ""
    is_flag: bool = False
    is_exact: bool = False
    source: str = ""

    @property
    def origin(self) -> str:
        """Who set it, for people."""
        return self.source or f"the command line: {shortened(self.token)}"


@dataclass
class Arguments:
    """The command line, taken apart, in the order it was typed.

    `hydra_flags` holds Hydra's own flags by their long names, with their values or "".
    """

    commands: list[str] = field(default_factory=list)
    settings: list[Setting] = field(default_factory=list)
    config_dirs: list[str] = field(default_factory=list)
    hydra_flags: dict[str, str] = field(default_factory=dict)
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
        if name in ("-m", "--multirun"):
            # A platform's web form can only pass flags with a value.
            self.found.is_multirun = (given or "true").lower() not in ("false", "0")
        elif token in ("-r", "--run"):
            self.found.is_multirun = False
        elif name in _REFUSED:
            self._wrong(token, "this flag of Hydra's means nothing here", _REFUSED[name])
            if given is None and self.waiting and not self.waiting[0].startswith("-"):
                self.waiting.pop(0)
        elif name in _HYDRA_FLAGS:
            self._read_hydra_flag(_HYDRA_FLAGS[name], given)
        elif name in ("--config-dir", "-cd"):
            folder = self._value(name, given)
            self.found.config_dirs += [folder] if folder else []
        elif name == "--text":
            self._read_text(self._value(name, given))
        else:
            self._read_setting_flag(token, name, given)

    def _read_hydra_flag(self, name: str, given: str | None) -> None:
        if given is None and (name in _WITH_VALUE or self._topic_follows(name)):
            given = self._value(name, None)
            if not given:
                return
        topics = _TOPICS.get(name)
        if topics and given is not None and given not in topics:
            self._wrong(f"{name} {given}", "shows no such thing", nearest_or_all(given, topics))
        self.found.hydra_flags[name] = given or ""

    def _topic_follows(self, name: str) -> bool:
        """Whether the next word belongs to a flag that works without one, too."""
        following = self.waiting[0] if self.waiting else ""
        is_word = bool(following) and "=" not in following and following[0] not in "-~"
        return name == "--info" and is_word and following not in self.known_commands

    def _read_text(self, pair: str) -> None:
        key, equals, value = pair.partition("=")
        match = _KEY.fullmatch(key)
        if equals and match:
            token = f"--text {pair}"
            self.found.settings.append(
                Setting(token, match["key"], value, match["sign"], is_exact=True)
            )
        elif pair:
            remedy = "write it like --text mode.checkpoint=VALUE"
            self._wrong(f"--text {pair}", "is not key=VALUE", remedy)

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
            problem = f"{key!r} cannot be a key" if key else "there is no key before '='"
            self._wrong(token, problem, "write it like mode.epochs=3, without blanks")
        elif token in self.known_commands:
            self.found.commands.append(token)
        else:
            self._refuse_word(token)

    def _refuse_word(self, token: str) -> None:
        """Blanks around an equals sign make one setting several words: these are one mistake."""
        joined = token
        while self.waiting and (joined.endswith("=") or self.waiting[0].startswith("=")):
            joined += self.waiting.pop(0)
        if joined != token:
            self._wrong(joined, "stands in several words", f"write {shortened(joined)}, no blanks")
            return
        near = did_you_mean(token, self.known_commands)
        listed = ", ".join(sorted(self.known_commands))
        remedy = f"commands: {listed} (none: the job is run); choices are made like mode=train"
        problem = "is neither a command nor key=value"
        self._wrong(token, problem, "; ".join(filter(None, (near, remedy))))

    def _value(self, name: str, given: str | None) -> str:
        if given is not None:
            return given
        if self.waiting:
            return self.waiting.pop(0)
        self._wrong(name, "needs a value", f"write {name} {_placeholder(name)}")
        return ""

    def _wrong(self, token: str, problem: str, remedy: str) -> None:
        self.found.mistakes.append(Mistake(shortened(token), problem, remedy=remedy))


def _placeholder(name: str) -> str:
    return {"--text": "key=VALUE", "--cfg": "job"}.get(name, "VALUE")
