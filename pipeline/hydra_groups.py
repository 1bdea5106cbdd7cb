"""Group choices composed by Hydra: the one place that starts Hydra and asks it things.

Hydra's own entry refuses most of what platforms and people type, so it composes only the
choices of groups; values are applied afterwards (overrides.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from pipeline.errors import ConfigError, Mistake

CONFIG_NAME = "config"


@dataclass(frozen=True)
class Groups:
    """The configuration groups of the search path, and what composes out of them."""

    folder: Path
    search_path: tuple[Path, ...]

    @property
    def _search_override(self) -> list[str]:
        if not self.search_path:
            return []
        quoted = ",".join(_quote(f"file://{folder}") for folder in self.search_path)
        return [f"hydra.searchpath=[{quoted}]"]

    def options(self) -> dict[str, list[str]]:
        """Every group, nested ones by their path, with its choices."""
        found: dict[str, list[str]] = {}
        for folder in (self.folder, *self.search_path):
            for path in sorted(folder.rglob("*.yaml")):
                group = path.relative_to(folder).parent.as_posix()
                if group != "." and not group.startswith("hydra"):
                    found.setdefault(group, []).append(path.stem)
        return found

    def compose(self, choices: Sequence[str]) -> DictConfig:
        """The configuration with these `group=choice` made, nothing resolved.

        Raises:
            ConfigError: a YAML file is damaged, or choices do not fit together.
        """
        try:
            with _hydra(self.folder):
                return compose(CONFIG_NAME, overrides=[*self._search_override, *choices])
        # PyYAML's own errors and those of unreadable files come through Hydra as they are.
        except (HydraException, OmegaConfBaseException, YAMLError, ValueError, OSError) as error:
            raise ConfigError([_explain(error, choices)]) from error

    def files(self, choices: Sequence[str]) -> list[tuple[Path, str, str]]:
        """Each YAML file in merge order, with the key it lands at and its name for people.

        Hydra's list of defaults is no documented interface; where it is not to be had,
        the list is empty and errors go without file and line.
        """
        try:
            with _hydra(self.folder):
                loader = GlobalHydra.instance().config_loader()
                defaults = loader.compute_defaults_list(
                    CONFIG_NAME, [*self._search_override, *choices], RunMode.RUN
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


@contextmanager
def _hydra(folder: Path) -> Iterator[None]:
    with initialize_config_dir(str(folder), version_base="1.3"):
        yield


def _quote(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"') if '"' in text else text
    return f'"{escaped}"'


def _explain(error: Exception, choices: Sequence[str]) -> Mistake:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    cause = error.__cause__
    if cause is not None and not lines:
        lines = [line.strip() for line in str(cause).splitlines() if line.strip()]
    problem = "; ".join(lines[:4]) or type(error).__name__
    return Mistake("configuration", problem, ", ".join(choices), "see python run.py --help")
