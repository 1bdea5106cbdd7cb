"""From what was typed to a frozen Job, with all mistakes at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from pipeline import overrides
from pipeline.arguments import Arguments, Setting
from pipeline.errors import Mistake
from pipeline.hydra_groups import Groups
from pipeline.identity import digest_of
from pipeline.job import Job
from pipeline.origins import Origins
from pipeline.paths import anchored
from pipeline.spelling import did_you_mean, nearest_or_all
from pipeline.validation import validate

# Bare flag names (--epochs=3) are looked up below these keys.
_FLAG_ROOTS = ("mode", "device")
_EXPERIMENT = "experiment"


@dataclass
class Composed:
    """The job, the mapping it was made from, and what people should be told about it."""

    job: Job
    mapping: Mapping[str, Any]
    notes: list[str] = field(default_factory=list)


@dataclass
class _Desk:
    """Everything that composing one job needs at hand."""

    groups: Groups
    options: dict[str, list[str]]
    root: Path
    current_folder: Path
    origins: Origins = field(default_factory=Origins)
    literals: overrides.Literals = field(default_factory=overrides.Literals)
    mistakes: list[Mistake] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def roots(root: Path) -> set[str]:
    """The first parts of keys: groups and the top level of config.yaml."""
    with (root / "conf" / "config.yaml").open(encoding="utf-8") as file:
        top = yaml.safe_load(file)
    groups = {path.name for path in (root / "conf").iterdir() if path.is_dir()}
    return groups | set(top) | {_EXPERIMENT, "hydra"}


def compose(arguments: Arguments, *, root: Path, current_folder: Path) -> Composed:
    """The job that the command line asks for.

    Raises:
        ConfigError: with every mistake found; nothing was written or fetched.
    """
    desk = _desk(arguments, root, current_folder)
    choices, values = _sort_settings(arguments.settings, desk)
    config = desk.groups.compose(choices)
    for path, package, shown in desk.groups.files(choices):
        desk.origins.add_yaml(path, package, shown)
    for setting in values:
        _apply(config, setting, desk)
    mapping = _resolved(config, desk)
    checkpoint = str(mapping["mode"].get("checkpoint") or "") if "mode" in mapping else ""
    mapping = anchored(mapping, desk.origins, root=root, current_folder=current_folder)
    job = validate(mapping, desk.origins, desk.mistakes, root=root)
    job = job.model_copy(update={"digest": digest_of(job, checkpoint or None)})
    return Composed(job, mapping, desk.notes)


def _desk(arguments: Arguments, root: Path, current_folder: Path) -> _Desk:
    mistakes = list(arguments.mistakes)
    search_path = _folders(arguments.config_dirs, current_folder)
    for folder in search_path:
        if not folder.is_dir():
            mistakes.append(Mistake("--config-dir", f"there is no folder {folder}"))
    for setting in arguments.settings:
        if setting.key == "hydra.searchpath":
            listed = yaml.safe_load(setting.value or "[]")
            texts = listed if isinstance(listed, list) else [listed]
            search_path += _folders([str(text) for text in texts], current_folder)
    groups = Groups(root / "conf", tuple(f for f in search_path if f.is_dir()))
    options = {_EXPERIMENT: [], **groups.options()}
    return _Desk(groups, options, root, current_folder, mistakes=mistakes)


def _folders(texts: Sequence[str], current_folder: Path) -> tuple[Path, ...]:
    return tuple((current_folder / text.replace("file://", "", 1)).resolve() for text in texts)


def _sort_settings(settings: Sequence[Setting], desk: _Desk) -> tuple[list[str], list[Setting]]:
    """Group choices as Hydra takes them, and the values to apply afterwards."""
    choices: dict[str, str] = {}
    values = []
    for setting in settings:
        group, _, package = setting.key.partition("@")
        if setting.key.split(".")[0] == "hydra":
            _refuse_hydra_key(setting, desk)
        elif group in desk.options and not setting.is_exact:
            choice = _choice(setting, group, package, desk)
            # Of two equals the later wins; Hydra would refuse the second.
            choices.update({setting.key: choice} if choice else {})
        else:
            values.append(setting)
    desk.origins.add_settings(s for s in settings if s.key.partition("@")[0] in desk.options)
    return list(choices.values()), values


def _choice(setting: Setting, group: str, package: str, desk: _Desk) -> str:
    if setting.sign == "~":
        return setting.token
    named = (setting.value or "").strip("[]").split(",")
    for name in named:
        if name not in (*desk.options[group], "null"):
            problem = f"there is no choice {name!r}"
            remedy = nearest_or_all(name, desk.options[group])
            desk.mistakes.append(Mistake(group, problem, _typed(setting), remedy))
            return ""
    # Every group is in the defaults list already, so the plus of a recipe is accepted, not needed.
    is_listed = "/" not in group and not package
    sign = "" if is_listed else setting.sign
    return f"{sign}{setting.key}={setting.value}"


def _refuse_hydra_key(setting: Setting, desk: _Desk) -> None:
    if setting.key == "hydra.searchpath":
        return
    problem = "means nothing here: MindRun composes with Hydra and runs, logs and sweeps by itself"
    remedy = "results go to cluster.output_dir; leave it out"
    desk.mistakes.append(Mistake(setting.key, problem, _typed(setting), remedy))


def _apply(config: DictConfig, setting: Setting, desk: _Desk) -> None:
    if setting.is_flag:
        named = _key_of_flag(config, setting, desk)
        if named is None:
            return
        setting = named
    mistake = overrides.apply(config, setting, desk.literals)
    if mistake:
        desk.mistakes.append(mistake)
    desk.origins.add_settings([setting])


def _key_of_flag(config: DictConfig, setting: Setting, desk: _Desk) -> Setting | None:
    """The flag as the setting of a key; None when it is nobody's and was kept as it is."""
    keys = overrides.keys_of(config)
    ends = [k for k in keys if k.split(".")[0] in _FLAG_ROOTS and k.endswith(f".{setting.key}")]
    if setting.key in keys:
        return Setting(setting.token, setting.key, setting.value)
    if len(ends) == 1:
        return Setting(setting.token, ends[0], setting.value)
    text = "true" if setting.value is None else setting.value
    OmegaConf.update(config, f"platform.{setting.key}", desk.literals.hide(text), force_add=True)
    short = [key.rpartition(".")[2] for key in keys if key.split(".")[0] in _FLAG_ROOTS]
    question = did_you_mean(setting.key, [*short, *desk.options, *keys])
    note = f"nobody claimed the flag --{setting.key}; it is kept under platform.{setting.key}"
    desk.notes.append("; ".join(filter(None, (note, question))))
    return None


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


def _typed(setting: Setting) -> str:
    return f"the command line: {setting.token}"
