"""What may stand behind `python run.py bundle`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.commands.bundle.registry import ARCHES, PYTHONS, Target
from pipeline.errors import ConfigError, Mistake
from pipeline.messages.spelling import nearest_or_all, shortened

_COMMAND = "bundle"
_OTHER_NAMES = {"arm64": "aarch64", "amd64": "x86_64", "AMD64": "x86_64", "x64": "x86_64"}

# What the platforms' NPU images have.
_DEFAULTS = {"--python": "3.9", "--arch": "aarch64"}
_CHOICES = {"--python": PYTHONS, "--arch": ARCHES}
_FLAGS = (*_CHOICES, "--output", "--include")


@dataclass(frozen=True)
class Options:
    """For what the bundle is, where it goes (None: into dist/ of the clone), what else it holds."""

    target: Target
    output: Path | None = None
    includes: tuple[Path, ...] = ()


def read_options(tokens: Sequence[str], current_folder: Path) -> Options:
    """Reads the command line; the word `bundle` may stand in it. The last of equal flags counts.

    >>> read_options(["bundle", "--python", "3.11", "--arch=x86_64"], Path("/")).target
    Target(python='3.11', arch='x86_64')

    Raises:
        ConfigError: with all that is wrong with it.
    """
    given: dict[str, list[str]] = {flag: [] for flag in _FLAGS}
    mistakes = []
    for flag, value in _pairs(tokens):
        if flag not in given:
            mistakes.append(_unknown(flag))
        elif not value:
            mistakes.append(Mistake(flag, "needs a value", remedy=f"write {flag} VALUE"))
        else:
            given[flag].append(value)
    mistakes += _wrong_choices(given)
    if mistakes:
        raise ConfigError(mistakes)
    chosen = {flag: [default, *given[flag]][-1] for flag, default in _DEFAULTS.items()}
    outputs = [current_folder / text for text in given["--output"]]
    return Options(
        Target(chosen["--python"], chosen["--arch"]),
        outputs[-1] if outputs else None,
        tuple(current_folder / text for text in given["--include"]),
    )


def _pairs(tokens: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Flags with their values ("" where there is none), and odd words as if they were flags."""
    waiting, is_named = list(tokens), False
    while waiting:
        flag, equals, value = waiting.pop(0).partition("=")
        if flag == _COMMAND and not equals and not is_named:
            is_named = True
        elif equals or not flag.startswith("-") or not waiting or waiting[0].startswith("--"):
            yield flag, value
        else:
            yield flag, waiting.pop(0)


def _unknown(flag: str) -> Mistake:
    remedy = nearest_or_all(flag, _FLAGS)
    return Mistake(shortened(flag), f"means nothing to the command {_COMMAND}", remedy=remedy)


def _wrong_choices(given: Mapping[str, Sequence[str]]) -> Iterator[Mistake]:
    for flag, choices in _CHOICES.items():
        for value in given[flag]:
            if value not in choices:
                meant = _OTHER_NAMES.get(value) or ".".join(value.split(".")[:2])
                offered = [meant] if meant in choices else choices
                remedy = f"write {flag} {' or '.join(offered)}"
                yield Mistake(f"{flag} {shortened(value)}", "has no bundle", remedy=remedy)
