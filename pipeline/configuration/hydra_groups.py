"""Group choices composed by Hydra: the one place that starts Hydra and asks it things.

Hydra's own entry refuses most of what platforms and people type, so it composes only the
choices of groups; values are applied afterwards (overrides.py).
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import MarkedYAMLError, YAMLError

from pipeline.errors import ConfigError, Mistake

CONFIG_NAME = "config"
_SWEEPER = b"sweeper"

# What was composed, by the groups and the choices; None: nothing is kept.
_Memory = Optional[dict[tuple["Groups", tuple[str, ...]], DictConfig]]
_memory: ContextVar[_Memory] = ContextVar("composed", default=None)


@dataclass(frozen=True)
class Groups:
    """The configuration groups of the search path, and what composes out of them."""

    folder: Path
    search_path: tuple[Path, ...]

    @property
    def search_override(self) -> list[str]:
        """The search path as Hydra takes it."""
        if not self.search_path:
            return []
        listed = ",".join(quoted(f"file://{folder}") for folder in self.search_path)
        return [f"hydra.searchpath=[{listed}]"]

    def options(self) -> dict[str, list[str]]:
        """Every group, nested ones by their path, with its choices."""
        found: dict[str, list[str]] = {}
        for folder in (self.folder, *self.search_path):
            for path in sorted(folder.rglob("*.yaml")):
                group = path.relative_to(folder).parent.as_posix()
                if group != "." and not group.startswith("hydra"):
                    found.setdefault(group, []).append(path.stem)
        return found

    def hidden(self) -> list[str]:
        """For people: the files that an earlier folder has under the same name."""
        seen: dict[str, Path] = {}
        notes = []
        for folder in (self.folder, *self.search_path):
            for path in sorted(folder.rglob("*.yaml")):
                name = path.relative_to(folder).as_posix()
                if name in seen:
                    notes.append(f"{path} is not read: {seen[name]} has the same name, and wins")
                seen.setdefault(name, path)
        return notes

    def compose(self, choices: Sequence[str]) -> DictConfig:
        """The configuration with these `group=choice` made, nothing resolved.

        Raises:
            ConfigError: a YAML file is damaged, or choices do not fit together.
        """
        memory = _memory.get()
        if memory is None:
            return self._compose(choices)
        key = (self, tuple(choices))
        if key not in memory:
            memory[key] = self._compose(choices)
        return copy.deepcopy(memory[key])

    def _compose(self, choices: Sequence[str]) -> DictConfig:
        try:
            with _hydra(self.folder):
                return compose(CONFIG_NAME, overrides=[*self.search_override, *choices])
        # PyYAML's own errors and those of unreadable files come through Hydra as they are.
        except (HydraException, OmegaConfBaseException, YAMLError, ValueError, OSError) as error:
            raise ConfigError([self._explain(error, choices)]) from error

    def files(self, choices: Sequence[str]) -> list[tuple[Path, str, str]]:
        """Each YAML file in merge order, with the key it lands at and its name for people.

        Hydra's list of defaults is no documented interface; where it is not to be had,
        the list is empty and errors go without file and line.
        """
        try:
            with _hydra(self.folder):
                loader = GlobalHydra.instance().config_loader()
                defaults = loader.compute_defaults_list(
                    CONFIG_NAME, [*self.search_override, *choices], RunMode.RUN
                ).defaults
        except (HydraException, AttributeError, TypeError):
            return []
        found = []
        for default in defaults:
            for folder in (self.folder, *self.search_path):
                path = folder / f"{default.config_path}.yaml"
                if path.is_file():
                    package = (default.package or "").replace("_global_", "")
                    shown = path.relative_to(folder.parent).as_posix()
                    found.append((path, package, shown))
                    break
        return found

    def sweeper_params(self, choices: Sequence[str]) -> dict[str, Any]:
        """What a chosen file sweeps over by itself: its `hydra.sweeper.params`, by key.

        Empty also where the choices cannot be composed: what is wrong is said when they are.
        """
        if not any(_SWEEPER in path.read_bytes() for path in self._all_files()):
            return {}
        try:
            with _hydra(self.folder):
                overrides = [*self.search_override, *choices]
                config = compose(CONFIG_NAME, overrides=overrides, return_hydra_config=True)
        except (HydraException, OmegaConfBaseException, YAMLError, ValueError, OSError):
            return {}
        found = OmegaConf.select(config, "hydra.sweeper.params")
        plain = OmegaConf.to_container(found, resolve=False) if found is not None else {}
        return {str(key): value for key, value in plain.items()} if isinstance(plain, dict) else {}

    def _all_files(self) -> Iterator[Path]:
        return (path for f in (self.folder, *self.search_path) for path in f.rglob("*.yaml"))

    def chosen_by_recipes(self, choices: Sequence[str]) -> set[str]:
        """The groups that a file among the choices chooses itself; as with `files`, if told."""
        try:
            with _hydra(self.folder):
                loader = GlobalHydra.instance().config_loader()
                found = loader.compute_defaults_list(
                    CONFIG_NAME, [*self.search_override, *choices], RunMode.RUN
                ).overrides
        except (HydraException, AttributeError, TypeError):
            return set()
        return set(found.override_choices)

    def _explain(self, error: Exception, choices: Sequence[str]) -> Mistake:
        chosen = f"the command line: {' '.join(choices)}" if choices else ""
        if isinstance(error, UnicodeDecodeError):
            path = _unreadable(error, (self.folder, *self.search_path))
            return Mistake(
                "configuration", "a YAML file is not UTF-8 text", path, "save it as UTF-8"
            )
        if isinstance(error, MarkedYAMLError) and error.problem_mark:
            mark = error.problem_mark
            where = f"{mark.name} line {mark.line + 1}"
            problem = f"this YAML cannot be read: {error.problem}"
            return Mistake("configuration", problem, where, "mend the file")
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        # What follows are hints for applications that Hydra itself starts.
        problem = lines[0] if lines else type(error).__name__
        return Mistake("configuration", problem, chosen, "see python run.py --help")


@contextmanager
def remembering() -> Iterator[None]:
    """In here the same choices are composed once, since no file changes while many are."""
    before = _memory.set({})
    try:
        yield
    finally:
        _memory.reset(before)


@contextmanager
def _hydra(folder: Path) -> Iterator[None]:
    with initialize_config_dir(str(folder), version_base="1.3"):
        yield


def quoted(text: str) -> str:
    """The text in quotes that Hydra's grammar reads back as it was."""
    escaped = re.sub(r'(\\*)("|$)', lambda match: match[1] * 2 + ('\\"' if match[2] else ""), text)
    return f'"{escaped}"'


def _unreadable(error: UnicodeDecodeError, folders: Sequence[Path]) -> str:
    """The file that holds these bytes; the error itself does not name it."""
    for folder in folders:
        for path in sorted(folder.rglob("*.yaml")):
            if path.read_bytes() == error.object:
                return str(path)
    return ""
