"""Which file of each group the command line chooses, and which folders these come from."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from pipeline.configuration import homes
from pipeline.configuration.arguments import Arguments, Setting
from pipeline.configuration.hydra_groups import Groups, quoted
from pipeline.errors import Mistake
from pipeline.job.component import find_code_in
from pipeline.job.job import Job
from pipeline.messages.spelling import nearest, nearest_or_all, shortened

EXPERIMENT = "experiment"
_SEARCH_PATH = "hydra.searchpath"


@dataclass
class Choices:
    """The command line with its group choices made; `values` are the settings that remain.

    A wrong choice is a mistake, and the nearest right one stands in for it, so that the
    rest of the command line can be judged; `unsure` holds the groups without a near one.
    """

    groups: Groups
    options: dict[str, list[str]]
    mistakes: list[Mistake]
    chosen: dict[str, str] = field(default_factory=dict)
    settings: list[Setting] = field(default_factory=list)
    values: list[Setting] = field(default_factory=list)
    unsure: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)

    @property
    def tokens(self) -> list[str]:
        """The choices as Hydra takes them."""
        return [token for token in self.chosen.values() if token]


def choose(
    arguments: Arguments, launched: Sequence[Setting], *, root: Path, current_folder: Path
) -> Choices:
    """The choices of launch and command line; code of the user's own is found from here on."""
    mistakes = list(arguments.mistakes)
    folders = tuple(_search_path(arguments, current_folder, mistakes))
    find_code_in([place for folder in folders for place in (folder, folder.parent)])
    groups = Groups(homes.conf_of(root), (*homes.added_to_ours(root), *folders))
    choices = Choices(groups, {EXPERIMENT: [], **groups.options()}, mistakes)
    choices.notes += groups.hidden()
    for setting in arguments.settings:
        _sort(setting, choices)
    # A recipe was typed, so what it chooses is chosen; a launch fills what is left.
    is_recipe = bool(launched and choices.chosen.get(EXPERIMENT))
    taken = groups.chosen_by_recipes(choices.tokens) if is_recipe else set()
    for setting in launched:
        if setting.key not in taken:
            _sort(setting, choices)
    return choices


def _search_path(
    arguments: Arguments, current_folder: Path, mistakes: list[Mistake]
) -> Iterator[Path]:
    wanted = [("--config-dir", text) for text in arguments.config_dirs]
    for setting in arguments.settings:
        if setting.key == _SEARCH_PATH:
            wanted += [(_SEARCH_PATH, text) for text in _listed(setting.value or "")]
    for name, text in wanted:
        if text.startswith("pkg://"):
            remedy = "name the folder itself"
            mistakes.append(Mistake(name, f"{text}: expected a folder, not a package", "", remedy))
            continue
        try:
            folder = (current_folder / text.replace("file://", "", 1)).resolve()
            is_folder = folder.is_dir()
        # A name that is too long, or links that run in a circle.
        except (OSError, RuntimeError, ValueError):
            folder, is_folder = current_folder / text, False
        if is_folder:
            yield folder
        else:
            remedy = f"a relative folder counts from where you are, {current_folder}"
            problem = f"there is no folder {shortened(str(folder))}"
            mistakes.append(Mistake(name, problem, "", remedy))


def _listed(text: str) -> list[str]:
    try:
        value = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError):
        value = None
    if isinstance(value, list):
        return [str(item) for item in value]
    return [text] if text else []


def _sort(setting: Setting, choices: Choices) -> None:
    group, _, package = setting.key.partition("@")
    if re.split(r"[./@]", setting.key)[0] == "hydra":
        _refuse_hydra_key(setting, choices)
    elif group in choices.options:
        choice = _choice(setting, group, package, choices)
        # Of two equals the later wins; Hydra would refuse the second.
        if choice is not None:
            choices.chosen[setting.key] = choice
        choices.settings.append(setting)
    else:
        choices.values.append(setting)


def _refuse_hydra_key(setting: Setting, choices: Choices) -> None:
    if setting.key == _SEARCH_PATH and setting.value is not None:
        return
    problem = "means nothing here: MindRun runs, logs and sweeps by itself, not through Hydra"
    remedy = "leave it out; results go to cluster.output_dir"
    choices.mistakes.append(Mistake(setting.key, problem, setting.origin, remedy))


def _choice(setting: Setting, group: str, package: str, choices: Choices) -> str | None:
    """The choice as Hydra takes it, empty for no recipe; None where it is wrong."""
    # Every group of the job stands in the defaults list, so a plus is accepted, not needed.
    is_listed = not package and (group == EXPERIMENT or group in Job.model_fields)
    sign = "" if is_listed else setting.sign
    text = setting.value or ""
    if group == EXPERIMENT and (setting.sign == "~" or text == "null"):
        return ""
    if setting.sign == "~":
        return setting.token
    is_list = text.startswith("[") and text.endswith("]")
    named = [name.strip() for name in (text[1:-1] if is_list else text).split(",")]
    if len(named) > 1 and not is_list:
        problem = f"{text!r}: expected one choice; several at once are a sweep"
        remedy = nearest_or_all("", choices.options[group])
        choices.mistakes.append(Mistake(group, problem, setting.origin, remedy))
        return None
    right = [_right_choice(name, setting, group, choices) for name in named]
    names = [name for name in right if name]
    if not names:
        return None
    return f"{sign}{setting.key}={_joined(names)}"


def _joined(names: Sequence[str]) -> str:
    quoted = [name if re.fullmatch(r"[\w.-]+", name, re.ASCII) else quoted(name) for name in names]
    return quoted[0] if len(quoted) == 1 else f"[{','.join(quoted)}]"


def _right_choice(name: str, setting: Setting, group: str, choices: Choices) -> str:
    options = choices.options[group]
    if name in options:
        return name
    remedy = nearest_or_all(name, options)
    if not options:
        remedy = f"no {group} is there yet; add one with --config-dir DIR/{group}/{name}.yaml"
    problem = f"there is no choice {shortened(name)!r}"
    choices.mistakes.append(Mistake(group, problem, setting.origin, remedy))
    near = nearest(name, options)
    if len(near) != 1:
        choices.unsure.add(group)
        return ""
    return near[0]
