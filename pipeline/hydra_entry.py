"""Hydra's own information flags: --cfg from our composition, the others from hydra.main."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import hydra
import yaml

from pipeline import compose, console, errors
from pipeline.arguments import Arguments, Setting
from pipeline.hydra_groups import CONFIG_NAME
from pipeline.masking import masked


def answer(found: Arguments, *, root: Path, current_folder: Path) -> int:
    """Answers --help, --cfg, --info, --version, --shell-completion and their kin."""
    flags = found.hydra_flags
    if _is_job_config(flags):
        composed = compose.compose(found, root=root, current_folder=current_folder)
        console.say(_as_yaml(composed.mapping, flags).rstrip())
        return errors.DONE
    tokens = [_hydra_token(s) for s in found.settings if not s.is_flag and not s.is_exact]
    dirs = [part for folder in found.config_dirs[-1:] for part in ("--config-dir", folder)]
    sys.argv = [sys.argv[0], *flags, *dirs, *tokens]
    try:
        hydra.main(config_path=str(root / "conf"), config_name=CONFIG_NAME, version_base="1.3")(
            _never
        )()
    except SystemExit as end:
        return errors.DONE if end.code in (None, 0) else errors.WRONG_JOB
    return errors.DONE


def _is_job_config(flags: list[str]) -> bool:
    for name in ("--cfg", "-c"):
        if name in flags:
            return flags[flags.index(name) + 1] == "job"
    return False


def _as_yaml(mapping: Any, flags: list[str]) -> str:
    shown = masked(mapping)
    for name in ("--package", "-p"):
        if name in flags:
            for part in flags[flags.index(name) + 1].split("."):
                shown = shown.get(part, {}) if isinstance(shown, dict) else {}
    return str(yaml.safe_dump(shown, allow_unicode=True, sort_keys=False))


def _hydra_token(setting: Setting) -> str:
    """The setting in Hydra's grammar: quoted where the text needs it."""
    if setting.value is None:
        return setting.token
    plain = setting.value.replace("_", "").replace(".", "").replace("/", "").isalnum()
    escaped = setting.value.replace("\\", "\\\\").replace('"', '\\"')
    value = setting.value if plain and setting.value.isascii() else f'"{escaped}"'
    return f"{setting.sign}{setting.key}={value}"


def _never(config: Any) -> None:
    """Information flags end before the job function would be called."""
    del config
