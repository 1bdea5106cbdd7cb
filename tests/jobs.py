"""Jobs for tests: composed in this process, from the command line that a person would type."""

from __future__ import annotations

import copy
import functools
from collections.abc import Sequence
from pathlib import Path

import pytest
from omegaconf import DictConfig

from pipeline.configuration import arguments, compose
from pipeline.configuration.arguments import Arguments
from pipeline.configuration.compose import Composed
from pipeline.configuration.hydra_groups import Groups
from pipeline.errors import ConfigError, Mistake

ROOT = Path(__file__).resolve().parent.parent


def read(*argv: str) -> Arguments:
    """The command line taken apart, with this project's commands and keys."""
    return arguments.read(argv, commands=["plan"], roots=_roots())


@functools.cache
def _roots() -> set[str]:
    return compose.roots(ROOT)


def composed(*argv: str, current_folder: Path = ROOT) -> Composed:
    """What the command line composes to."""
    return compose.compose(read(*argv), root=ROOT, current_folder=current_folder)


def mistakes_of(*argv: str, current_folder: Path = ROOT) -> dict[str, Mistake]:
    """Everything that is said against the command line, by key; empty where it is right."""
    try:
        composed(*argv, current_folder=current_folder)
    except ConfigError as error:
        return {mistake.key: mistake for mistake in error.mistakes}
    return {}


_ask_to_compose, _ask_for_files = Groups.compose, Groups.files


@functools.cache
def _compose_once(groups: Groups, choices: tuple[str, ...]) -> DictConfig:
    return _ask_to_compose(groups, choices)


@functools.cache
def _files_once(groups: Groups, choices: tuple[str, ...]) -> list[tuple[Path, str, str]]:
    return _ask_for_files(groups, choices)


def _compose_copy(groups: Groups, choices: Sequence[str]) -> DictConfig:
    return copy.deepcopy(_compose_once(groups, tuple(choices)))


def without_asking_hydra_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """What Hydra said before it says again: a property needs hundreds of jobs in a second."""
    monkeypatch.setattr(Groups, "compose", _compose_copy)
    monkeypatch.setattr(Groups, "files", lambda self, choices: _files_once(self, tuple(choices)))


def measure(logits: object, labels: object) -> float:
    """A metric."""
    del logits, labels
    return 0.5


def anything(**arguments: object) -> None:
    """A target that takes every argument."""
    del arguments
