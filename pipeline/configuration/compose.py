"""From what was typed to a frozen Job, with all mistakes at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from pipeline.configuration import flags, homes, launched, overrides
from pipeline.configuration.arguments import Arguments, Setting
from pipeline.configuration.choices import EXPERIMENT, Choices, choose
from pipeline.configuration.identity import digest_of, sources_of
from pipeline.configuration.launch import Launch, Tables
from pipeline.configuration.launch import read as launch_of
from pipeline.configuration.origins import Origins, plain_key
from pipeline.configuration.paths import anchored
from pipeline.configuration.validation import validate
from pipeline.errors import ConfigError, Mistake
from pipeline.job.job import Job
from pipeline.messages.spelling import shown

_OUTPUT = "cluster.output_dir"
_TYPED = "the command line"


@dataclass
class Composed:
    """The job, the mapping it was made from, and what people should be told about it."""

    job: Job
    mapping: Mapping[str, Any]
    notes: list[str] = field(default_factory=list)


class _Desk:
    """Everything that composing one job needs at hand."""

    def __init__(self, choices: Choices) -> None:
        self.choices = choices
        self.mistakes = choices.mistakes
        self.literals = overrides.Literals()
        self.origins = Origins(files=lambda: choices.groups.files(choices.tokens))
        self.origins.add_choices(choices.settings)
        # What the chosen files say, nothing resolved.
        self.before: Any = {}


def roots(root: Path) -> set[str]:
    """The first parts of keys: groups and the top level of config.yaml."""
    folder = homes.conf_of(root)
    try:
        top = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        # What is wrong with the file is said when it is composed.
        top = None
    folders = [folder, *homes.added_to_ours(root)]
    groups = {path.name for found in folders for path in found.iterdir() if path.is_dir()}
    return groups | set(top if isinstance(top, dict) else ()) | {EXPERIMENT, "hydra"}


def compose(
    arguments: Arguments,
    *,
    root: Path,
    current_folder: Path,
    variables: Mapping[str, str] = MappingProxyType({}),
) -> Composed:
    """The job that launch and command line ask for; `variables` is the environment.

    Raises:
        ConfigError: with every mistake found; nothing was written or fetched.
    """
    launch, desk, config = _begin(arguments, root, current_folder, variables)
    mapping = _resolved(config, desk)
    if not _builds(mapping):
        # Nothing is made of the network, whatever of the data its arguments refer to.
        desk.mistakes = [m for m in desk.mistakes if not _is_idle(m)]
    as_written = _as_written(mapping)
    mapping = anchored(mapping, desk.origins, root=root, current_folder=current_folder)
    job = validate(mapping, desk.origins, desk.mistakes, root=root)
    notes = [*launched.notes_of(launch, job), *desk.choices.notes]
    facts = launched.facts_of(launch, notes, variables, settings=_settings(desk))
    found = {"digest": digest_of(job, as_written), "sources": sources_of(job), "launched": facts}
    job = job.model_copy(update=found)
    return Composed(job, mapping, notes)


def output_dirs(
    arguments: Arguments, *, root: Path, current_folder: Path, variables: Mapping[str, str]
) -> tuple[str, ...]:
    """The folders in which a job started like this looks for its run; no job is made of it.

    Raises:
        ConfigError: what was typed is wrong, or names no folder.
    """
    _, desk, config = _begin(arguments, root, current_folder, variables)
    if desk.mistakes:
        raise ConfigError(desk.mistakes)
    mapping = _resolved(config, desk)
    mapping = anchored(mapping, desk.origins, root=root, current_folder=current_folder)
    found = mapping["cluster"]["output_dir"]
    folders = found if isinstance(found, list) else [found]
    if not folders or not all(isinstance(folder, str) and folder for folder in folders):
        problem = f"{shown(found)}: expected a folder or a list of folders"
        origin = desk.origins.within(_OUTPUT).text
        raise ConfigError([Mistake(_OUTPUT, problem, origin, f"write {_OUTPUT}=FOLDER")])
    return tuple(folders)


def _begin(
    arguments: Arguments, root: Path, current_folder: Path, variables: Mapping[str, str]
) -> tuple[Launch, _Desk, DictConfig]:
    """The configuration with all that was launched and typed in it, nothing resolved."""
    launch = _launch(arguments, root, current_folder, variables)
    arguments = replace(arguments, settings=list(launch.rest))
    typed = {setting.key for setting in launch.rest}
    following = launched.choices_of(launch, typed, variables)
    choices = choose(arguments, following, root=root, current_folder=current_folder)
    desk = _Desk(choices)
    try:
        config = choices.groups.compose(choices.tokens)
    except ConfigError as error:
        raise ConfigError([*desk.mistakes, *error.mistakes]) from error
    desk.before = OmegaConf.to_container(config, resolve=False)
    for setting in (*_launched_values(launch, desk.before), *choices.values):
        _apply(config, setting, desk)
    return launch, desk, config


def _launch(
    arguments: Arguments, root: Path, current_folder: Path, variables: Mapping[str, str]
) -> Launch:
    own = [homes.conf_of(root), *homes.added_to_ours(root)]
    folders = [*own, *(current_folder / text for text in arguments.config_dirs)]
    return launch_of(arguments.settings, variables, Tables.read(folders))


def _launched_values(launch: Launch, plain: Any) -> list[Setting]:
    parts = plain if isinstance(plain, dict) else {}
    dataset, cluster = parts.get("dataset"), parts.get("cluster")
    archives = dataset.get("archives") if isinstance(dataset, dict) else None
    collects = isinstance(cluster, dict) and cluster.get("collects_output") is True
    return launched.values_of(launch, launched.mounts_of(archives), collects=collects)


def _settings(desk: _Desk) -> list[dict[str, Any]]:
    """What was chosen and set, and by whom, for the record of the run."""
    chosen = [
        {"key": setting.key, "choice": setting.value or "", "origin": setting.source or _TYPED}
        for setting in desk.choices.settings
    ]
    return [*chosen, *desk.origins.settings(desk.before)]


def _builds(mapping: Mapping[str, Any]) -> bool:
    """Whether some stage makes a network."""
    mode = mapping.get("mode")
    listed = mode.get("stages") if isinstance(mode, Mapping) else None
    return not isinstance(listed, list) or "build" in listed


def _is_idle(mistake: Mistake) -> bool:
    is_unresolved = mistake.problem.startswith("Interpolation key")
    return is_unresolved and mistake.key.startswith("model.network.")


def _as_written(mapping: Mapping[str, Any]) -> dict[str, str | None]:
    """What the job starts from, before paths become absolute."""
    mode = mapping.get("mode")
    values = mode if isinstance(mode, Mapping) else {}
    return {name: values.get(name) for name in ("checkpoint", "resume")}


def _apply(config: DictConfig, setting: Setting, desk: _Desk) -> None:
    named = flags.claim(config, setting, desk.choices, desk.literals)
    if named is None:
        return
    mistake = overrides.apply(config, named, desk.literals)
    # Below a group whose choice is not known, nobody can tell which keys there are.
    if mistake and plain_key(named.key).split(".")[0] not in desk.choices.unsure:
        desk.mistakes.append(mistake)
    desk.origins.add_settings([named])


def _resolved(config: DictConfig, desk: _Desk) -> dict[str, Any]:
    """The plain mapping; what cannot be resolved becomes a mistake and null."""
    OmegaConf.set_struct(config, False)
    _settle(config, "", desk)
    container = OmegaConf.to_container(config, resolve=True)
    restored = desk.literals.restore(container)
    return dict(restored) if isinstance(restored, dict) else {}


def _settle(node: Any, prefix: str, desk: _Desk) -> None:
    """Replaces each leaf that is missing or cannot be resolved by null, and says so."""
    names = list(node) if OmegaConf.is_dict(node) else range(len(node))
    for name in names:
        key = f"{prefix}{name}"
        try:
            is_missing = OmegaConf.is_missing(node, name)
            value = None if is_missing else node[name]
        except OmegaConfBaseException as error:
            problem = str(error).splitlines()[0]
            remedy = "to set text that looks like ${...} write --text key=VALUE"
            desk.mistakes.append(Mistake(key, problem, desk.origins.within(key).text, remedy))
            node[name] = None
            continue
        if is_missing:
            remedy = f"write {key}=VALUE"
            origin = desk.origins.within(key).text
            desk.mistakes.append(Mistake(key, "a value is missing", origin, remedy))
            node[name] = None
        elif OmegaConf.is_config(value) and not OmegaConf.is_interpolation(node, name):
            _settle(value, f"{key}.", desk)
