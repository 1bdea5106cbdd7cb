"""Where the configuration lies: beside run.py, or with MindRun where that is only a library."""

from __future__ import annotations

from pathlib import Path

NAME = "conf"
_PACKAGE = Path(__file__).resolve().parents[1]
# Beside the package in a clone and where it was copied in; inside of it where pip installed it.
_OURS = next((p for p in (_PACKAGE.parent / NAME, _PACKAGE / NAME) if p.is_dir()), _PACKAGE / NAME)


def conf_of(root: Path) -> Path:
    """The folder with config.yaml for a start file in `root`: its own, or else ours."""
    own = root / NAME
    return own if (own / "config.yaml").is_file() else _OURS


def added_to_ours(root: Path) -> list[Path]:
    """The start file's own folder of choices, where config.yaml is ours."""
    own = root / NAME
    return [own] if own.is_dir() and conf_of(root) != own else []


def shipped(path: Path, root: Path) -> Path:
    """The same path where MindRun lies, if only there something lies at it."""
    ours = _PACKAGE.parent / path
    return ours if not (root / path).exists() and ours.exists() else root / path
