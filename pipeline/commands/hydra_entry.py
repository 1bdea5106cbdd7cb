"""Hydra's own information flags: --cfg job from our composition, the others from hydra.main."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import hydra
import yaml
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from pipeline import errors
from pipeline.configuration import compose, homes
from pipeline.configuration.arguments import Arguments, Setting
from pipeline.configuration.choices import Choices, choose
from pipeline.configuration.hydra_groups import CONFIG_NAME, quoted
from pipeline.configuration.overrides import keys_of
from pipeline.errors import ConfigError, Mistake
from pipeline.messages import console
from pipeline.messages.masking import masked
from pipeline.messages.spelling import nearest_or_all

_COMPLETED_LINE = "COMP_LINE"


def answer(found: Arguments, *, root: Path, current_folder: Path) -> int:
    """Answers --help, --cfg, --info, --version, --shell-completion and their kin.

    Raises:
        ConfigError: the command line has mistakes, or what it asks to see is not there.
    """
    flags = found.hydra_flags
    if flags.get("--cfg") == "job":
        composed = compose.compose(found, root=root, current_folder=current_folder)
        shown = _part(masked(composed.mapping), flags.get("--package", ""))
        console.say(yaml.safe_dump(shown, allow_unicode=True, sort_keys=False).rstrip())
        return errors.DONE
    choices = choose(found, (), root=root, current_folder=current_folder)
    if choices.mistakes:
        raise ConfigError(choices.mistakes)
    return _ask_hydra(choices, flags, root)


def _ask_hydra(choices: Choices, flags: Mapping[str, str], root: Path) -> int:
    asked = [part for name, value in flags.items() for part in (name, value) if part]
    values = [_token(s) for s in choices.values if not s.is_flag]
    sys.argv = [sys.argv[0], *asked, *choices.groups.search_override, *choices.tokens, *values]
    if "--shell-completion" in flags:
        os.environ[_COMPLETED_LINE] = _only_settings(os.environ.get(_COMPLETED_LINE, ""))
    # A traceback of Hydra's helps nobody here; its exceptions are told like all mistakes.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    folder = str(homes.conf_of(root))
    run = hydra.main(config_path=folder, config_name=CONFIG_NAME, version_base="1.3")
    try:
        run(_never)()
    except (HydraException, OmegaConfBaseException, ValueError) as error:
        problem = (str(error).splitlines() or [type(error).__name__])[0]
        mistake = Mistake(
            " ".join(asked), problem, "", "python run.py --hydra-help lists the flags"
        )
        raise ConfigError([mistake]) from error
    except SystemExit as end:
        return errors.DONE if end.code in (None, 0) else errors.WRONG_JOB
    return errors.DONE


def _part(mapping: Any, package: str) -> Any:
    part = mapping
    for name in filter(None, package.split(".")):
        if isinstance(part, Mapping) and name in part:
            part = part[name]
        elif isinstance(part, list) and name.isdigit() and int(name) < len(part):
            part = part[int(name)]
        else:
            remedy = nearest_or_all(package, keys_of(mapping))
            raise ConfigError([Mistake(f"--package {package}", "there is no such key", "", remedy)])
    return part


def _only_settings(line: str) -> str:
    """The line to complete without our commands and flags, which Hydra's completion refuses.

    The last word stays: it is the one that is being typed.
    """
    words = line.split(" ")
    start = next((i + 1 for i, word in enumerate(words) if word.endswith(".py")), len(words))
    kept = [word for word in words[start:-1] if "=" in word and not word.startswith("-")]
    return " ".join([*words[:start], *kept, *words[start:][-1:]])


def _token(setting: Setting) -> str:
    """The setting in Hydra's grammar: quoted where the text needs it."""
    if setting.value is None:
        return setting.token
    plain = setting.value.replace("_", "").replace(".", "").replace("/", "").isalnum()
    is_plain = (plain and setting.value.isascii()) or setting.value[:1] in ("[", "{")
    value = setting.value if is_plain and not setting.is_exact else quoted(setting.value)
    return f"{setting.sign}{setting.key}={value}"


def _never(config: Any) -> None:
    """Information flags end before the job function would be called."""
    del config
