"""One command line with sweeps in it, taken apart into one command line for each job."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Optional

from pipeline.commands.sweeping import splitting
from pipeline.commands.sweeping.splitting import MOST, NoSweepError, Value
from pipeline.configuration import homes
from pipeline.configuration.arguments import Arguments, Setting
from pipeline.configuration.choices import EXPERIMENT, Choices, choose
from pipeline.configuration.launch import Tables
from pipeline.configuration.launch import read as launch_of
from pipeline.configuration.origins import plain_key
from pipeline.configuration.overrides import keys_of
from pipeline.errors import ConfigError, Mistake
from pipeline.messages.spelling import shortened

_PARAMS = "hydra.sweeper.params"
_BARE_ROOTS = ("mode", "device")


@dataclass(frozen=True)
class Variant:
    """The command line of one job; `overrides` are those that the sweep has put in it, by key."""

    arguments: Arguments
    overrides: Mapping[str, str]


def expand(found: Arguments, *, root: Path, current_folder: Path) -> list[Variant]:
    """The command line of every job, in the order of Hydra: the last sweep changes fastest.

    Raises:
        ConfigError: a sweep has no values, or there are too many jobs.
    """
    return Expansion(found, root, current_folder).variants()


class Expansion:
    """All that is needed to tell a sweep from a value."""

    def __init__(self, found: Arguments, root: Path, current_folder: Path) -> None:
        self.found, self.root, self.current_folder = found, root, current_folder
        self.mistakes: list[Mistake] = []
        tables = Tables.read(
            [*_own_folders(root), *(current_folder / d for d in found.config_dirs)]
        )
        rest = launch_of(found.settings, {}, tables).rest
        # What a platform's table names is the platform's, commas and all.
        self.typed = {id(setting) for setting in rest}
        # The groups alone, whatever is chosen of them.
        paths = [s for s in found.settings if s.key == "hydra.searchpath"]
        bare = replace(found, settings=paths, mistakes=[])
        self.base = choose(bare, (), root=root, current_folder=current_folder)
        self.options = self.base.options

    def variants(self) -> list[Variant]:
        """Groups first: what they choose decides what else there is to sweep."""
        made: list[Variant] = []
        for chosen in self._each(Variant(self.found, {}), self.is_group):
            choices = self.choices_of(chosen.arguments)
            within = replace(chosen, arguments=self.with_params(chosen.arguments, choices))
            keys = self.bare_keys_of(choices) if self.has_flags() else set()
            made += self._each(within, partial(self.is_value, bare_keys=keys))
            if len(made) > MOST:
                break
        if len(made) > MOST and not self.mistakes:
            self.mistakes.append(_too_many(len(made)))
        if self.mistakes:
            raise ConfigError(list(dict.fromkeys(self.mistakes)))
        return made

    def _each(self, variant: Variant, is_swept: Callable[[Setting], bool]) -> Iterator[Variant]:
        settings = variant.arguments.settings
        last = {s.key: position for position, s in enumerate(settings)}
        swept: dict[int, list[Value]] = {}
        for position, setting in enumerate(settings):
            # Of two equals the later wins.
            if is_swept(setting) and last[setting.key] == position:
                values = self._values(setting)
                swept.update({position: values} if values else {})
        count = math.prod(len(values) for values in swept.values())
        if count > MOST:
            self.mistakes.append(_too_many(count))
            return
        for combination in itertools.product(*swept.values()):
            chosen = dict(zip(swept, combination))
            overrides = {
                settings[position].key: value.text
                for position, value in chosen.items()
                if len(swept[position]) > 1
            }
            replaced = [
                with_value(setting, chosen[position]) if position in chosen else setting
                for position, setting in enumerate(settings)
            ]
            arguments = replace(variant.arguments, settings=replaced, is_multirun=False)
            yield Variant(arguments, {**variant.overrides, **overrides})

    def _values(self, setting: Setting) -> list[Value]:
        try:
            values = splitting.values_of(setting.value or "", self.options.get(group_of(setting)))
        except NoSweepError as error:
            mistake = Mistake(setting.key, error.problem, setting.origin, error.remedy)
            self.mistakes.append(mistake)
            return []
        if len(values) > 1 and setting.key.split(".")[0] == "sweep":
            problem = f"{shortened(setting.value or '')!r}: it is the same for all jobs of a sweep"
            self.mistakes.append(Mistake(setting.key, problem, setting.origin, "write one value"))
        return values

    def is_group(self, setting: Setting) -> bool:
        """Whether it chooses from a group, and may be swept."""
        return self._can_be_swept(setting) and group_of(setting) in self.options

    def is_value(self, setting: Setting, bare_keys: set[str]) -> bool:
        """Whether it sets a value of the job, and may be swept."""
        if not self._can_be_swept(setting) or setting.key.split(".")[0] == "hydra":
            return False
        is_dotted = "." in plain_key(setting.key)
        return not setting.is_flag or is_dotted or setting.key in bare_keys

    def _can_be_swept(self, setting: Setting) -> bool:
        is_typed = id(setting) in self.typed or setting.source.endswith(_PARAMS)
        return is_typed and not setting.is_exact and setting.sign != "~" and bool(setting.value)

    def has_flags(self) -> bool:
        """Whether something that no platform's table knows was typed as a flag."""
        return any(s.is_flag and id(s) in self.typed for s in self.found.settings)

    def choices_of(self, arguments: Arguments) -> Choices:
        """The choices of this command line."""
        bare = replace(arguments, mistakes=[])
        return choose(bare, (), root=self.root, current_folder=self.current_folder)

    def bare_keys_of(self, choices: Choices) -> set[str]:
        """What --name can mean besides a whole key: what flags.py looks up."""
        try:
            keys = keys_of(choices.groups.compose(choices.tokens))
        except ConfigError:
            return set()
        bare = [key.rpartition(".")[2] for key in keys if key.split(".")[0] in _BARE_ROOTS]
        return {name for name in bare if bare.count(name) == 1} | {k for k in keys if "." not in k}

    def with_params(self, arguments: Arguments, choices: Choices) -> Arguments:
        """The command line with what the chosen files sweep over, unless it was typed."""
        typed = {setting.key for setting in arguments.settings}
        found = choices.groups.sweeper_params(choices.tokens)
        where = choices.chosen.get(EXPERIMENT, "") or "conf/config.yaml"
        added = [
            Setting(f"{key}={text}", key, text, source=f"{where}: {_PARAMS}")
            for key, text in ((key, _text(value)) for key, value in found.items())
            if key not in typed
        ]
        return replace(arguments, settings=[*added, *arguments.settings])


def with_value(setting: Setting, value: Value) -> Setting:
    """The same setting with one of its values."""
    token = f"{setting.sign}{setting.key}={value.text}"
    token = f"--{token}" if setting.is_flag else token
    return replace(setting, token=token, value=value.text, is_exact=value.is_exact)


def group_of(setting: Setting) -> str:
    """The group that its key would choose from."""
    return setting.key.partition("@")[0]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _too_many(count: Optional[int]) -> Mistake:
    problem = f"{count:,} jobs or more: expected at most {MOST:,} in one sweep"
    return Mistake("-m", problem, "the command line", "sweep over fewer values")


def _own_folders(root: Path) -> Sequence[Path]:
    return [homes.conf_of(root), *homes.added_to_ours(root)]
