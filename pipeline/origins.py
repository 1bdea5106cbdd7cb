"""Where each value of the configuration was set: a command-line token, or a file and line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from pipeline.arguments import Setting


@dataclass(frozen=True)
class Origin:
    """Who set a value; `text` is for people."""

    text: str
    is_command_line: bool = False


@dataclass
class Origins:
    """The origin of every key that somebody set; later ones win."""

    by_key: dict[str, Origin] = field(default_factory=dict)

    def add_yaml(self, path: Path, package: str, shown: str) -> None:
        """Every key of a YAML file, found below `package`, with its line."""
        try:
            root = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
        except (OSError, yaml.YAMLError):
            # Hydra reports an unreadable file itself; without lines the file's name remains.
            return
        for key, line in _lines(root, package):
            self.by_key[key] = Origin(f"{shown} line {line}")

    def add_settings(self, settings: Iterable[Setting]) -> None:
        """The keys that the command line set."""
        for setting in settings:
            self.by_key[_plain(setting.key)] = Origin(f"the command line: {setting.token}", True)

    def of(self, key: str) -> Origin:
        """Who set this key, or the nearest part above or below it."""
        parts: Sequence[str] = _plain(key).split(".")
        for length in range(len(parts), 0, -1):
            found = self.by_key.get(".".join(parts[:length]))
            if found:
                return found
        return Origin("")

    def within(self, key: str) -> Origin:
        """Who set this key or something above it, a command-line token before a file."""
        parts = _plain(key).split(".")
        chain = [self.by_key.get(".".join(parts[:n])) for n in range(len(parts), 0, -1)]
        typed = [origin for origin in chain if origin and origin.is_command_line]
        return typed[0] if typed else self.of(key)


def _plain(key: str) -> str:
    return key.replace("[", ".").replace("]", "")


def _lines(node: yaml.Node | None, prefix: str) -> Iterable[tuple[str, int]]:
    if isinstance(node, yaml.MappingNode):
        pairs = [(str(key.value), key, value) for key, value in node.value]
    elif isinstance(node, yaml.SequenceNode):
        pairs = [(str(index), value, value) for index, value in enumerate(node.value)]
    else:
        return
    for name, where, value in pairs:
        key = f"{prefix}.{name}" if prefix else name
        yield key, where.start_mark.line + 1
        yield from _lines(value, key)
