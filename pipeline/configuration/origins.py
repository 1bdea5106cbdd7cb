"""Where each value of the configuration was set: a command-line token, or a file and line."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from pipeline.configuration.arguments import Setting
from pipeline.messages.spelling import shortened

_NOTHING = object()


@dataclass(frozen=True)
class Origin:
    """Who set a value; `text` is for people."""

    text: str
    is_command_line: bool = False


@dataclass
class Origins:
    """The origin of every key that somebody set; later ones win.

    The lines of YAML files are wanted for messages only, so `files` is asked for them
    (each file with the key it lands at and its name for people) when the first one is.
    """

    files: Callable[[], Iterable[tuple[Path, str, str]]] = tuple
    typed: dict[str, Origin] = field(default_factory=dict)
    chosen: dict[str, Origin] = field(default_factory=dict)

    def add_settings(self, settings: Iterable[Setting]) -> None:
        """The values that the command line set."""
        for setting in settings:
            origin = Origin(setting.origin, not setting.source)
            self.typed[plain_key(setting.key)] = origin

    def add_choices(self, settings: Iterable[Setting]) -> None:
        """The files that the command line chose; what stands in them was set there."""
        for setting in settings:
            origin = Origin(f"the command line: {shortened(setting.token)}")
            self.chosen[setting.key.partition("@")[0]] = origin

    def is_typed(self, key: str) -> bool:
        """Whether the command line set this key or something above it."""
        return _nearest(key, self.typed) is not None

    def settings(self, before: Any) -> Iterator[dict[str, Any]]:
        """What command line and launch have set, without the values, for the record of a run.

        Each key has who set it and what stood there `before`, as its `default`, if anything did.
        """
        for key, origin in self.typed.items():
            default = _found(before, key)
            told = {} if default is _NOTHING else {"default": default}
            yield {"key": key, **told, "origin": _teller(origin)}

    def within(self, key: str) -> Origin:
        """Who set this key or something above it, a command-line token before a file."""
        found = _nearest(key, self.typed) or _nearest(key, self._lines)
        return found or _nearest(key, self.chosen) or Origin("")

    @cached_property
    def _lines(self) -> dict[str, Origin]:
        found: dict[str, Origin] = {}
        for path, package, shown in self.files():
            if package:
                found[package] = Origin(shown)
            try:
                root = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
            except (OSError, ValueError, yaml.YAMLError):
                # Hydra reports an unreadable file itself; without lines the file's name remains.
                continue
            for key, line in _lines(root, package):
                found[key] = Origin(f"{shown} line {line}")
        return found


def _nearest(key: str, origins: Mapping[str, Origin]) -> Origin | None:
    parts = plain_key(key).split(".")
    for length in range(len(parts), 0, -1):
        found = origins.get(".".join(parts[:length]))
        if found:
            return found
    return None


def _found(value: Any, key: str) -> Any:
    for part in key.split("."):
        if isinstance(value, Mapping) and part in value:
            value = value[part]
        elif isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        else:
            return _NOTHING
    return value


def _teller(origin: Origin) -> str:
    """Who it was; what was typed may hold a secret."""
    return origin.text.partition(":")[0] if origin.is_command_line else origin.text


def plain_key(key: str) -> str:
    """The key with `[0]` written as `.0`."""
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
