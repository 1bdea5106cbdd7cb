"""A command line without its sweeps, and these apart: whether it asks for a search at all."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Optional

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from pipeline.commands.sweeping import splitting
from pipeline.commands.sweeping.expanding import Expansion, group_of, with_value
from pipeline.commands.sweeping.splitting import NoSweepError
from pipeline.configuration import overrides
from pipeline.configuration.arguments import Arguments, Setting

_SEARCH = "sweep.search"


@dataclass(frozen=True)
class Parted:
    """`sweeps` are the settings that stand for several values; `options` are those of groups.

    `space` is that of the chosen files, as YAML has it, with what was typed of it.
    """

    arguments: Arguments
    sweeps: Sequence[Setting]
    options: Mapping[str, Sequence[str]]
    space: Any
    is_asked_for: bool

    @property
    def is_search(self) -> bool:
        """Whether somebody is to choose among the values, instead of trying all."""
        is_open = any(splitting.is_interval(setting.value or "") for setting in self.sweeps)
        return bool(self.is_asked_for or is_open or self.space)

    def options_of(self, key: str) -> Optional[Sequence[str]]:
        """What there is to choose from, where the key is a group."""
        return self.options.get(key.lstrip("+").partition("@")[0])


def part(found: Arguments, *, root: Path, current_folder: Path) -> Parted:
    """The command line taken apart.

    Raises:
        ConfigError: the configuration cannot be read.
    """
    return _Parting(found, root, current_folder).parted()


class _Parting(Expansion):
    """An expansion that leaves the sweeps as they are."""

    def parted(self) -> Parted:
        """Sweeps over groups and values; of groups the first choice decides what else there is."""
        groups = self._sweeps(self.found, self.is_group)
        choices = self.choices_of(self._with_first(groups))
        within = self.with_params(_without(self.found, groups), choices)
        keys = self.bare_keys_of(choices) if self.has_flags() else set()
        values = self._sweeps(within, partial(self.is_value, bare_keys=keys))
        typed = [s for s in self.found.settings if s.key.startswith(_SEARCH)]
        config = choices.groups.compose(choices.tokens)
        return Parted(
            replace(_without(within, values), is_multirun=False),
            [*groups, *values],
            self.options,
            _space_of(config, typed),
            is_asked_for=bool(typed),
        )

    def _with_first(self, sweeps: Sequence[Setting]) -> Arguments:
        """The command line with the first value of each of these sweeps."""
        firsts = []
        for setting in sweeps:
            # What is wrong with one is said where all mistakes are.
            with contextlib.suppress(NoSweepError):
                options = self.options.get(group_of(setting))
                value = splitting.values_of(setting.value or "", options)[0]
                firsts.append(with_value(setting, value))
        return replace(self.found, settings=[*_without(self.found, sweeps).settings, *firsts])

    def _sweeps(self, found: Arguments, is_swept: Callable[[Setting], bool]) -> list[Setting]:
        # Of two equals the later wins; a sweep's own keys hold lists of their own.
        last = {s.key: s for s in found.settings if s.key.split(".")[0] != "sweep"}
        return [
            setting
            for setting in last.values()
            if is_swept(setting)
            and splitting.is_sweep(setting.value or "", self.options.get(group_of(setting)))
        ]


def _without(found: Arguments, settings: Sequence[Setting]) -> Arguments:
    keys = {setting.key for setting in settings}
    return replace(found, settings=[s for s in found.settings if s.key not in keys])


def _space_of(config: DictConfig, typed: Sequence[Setting]) -> Any:
    """The space with what was typed of it; mistakes in that are told when the job is composed."""
    literals = overrides.Literals()
    for setting in typed:
        overrides.apply(config, setting, literals)
    try:
        space = OmegaConf.select(config, f"{_SEARCH}.space")
        plain = OmegaConf.to_container(space, resolve=True) if OmegaConf.is_config(space) else space
    except OmegaConfBaseException:
        return None
    return literals.restore(plain)
