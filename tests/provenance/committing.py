"""Repositories for tests."""

from __future__ import annotations

import subprocess
from pathlib import Path

_WHO = ("-c", "user.name=somebody", "-c", "user.email=somebody@example.com")


def git(folder: Path, *words: str) -> str:
    """What git says in this folder."""
    command = ["git", "-C", str(folder), *_WHO, *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def commit(folder: Path) -> None:
    """Everything in the folder is committed on the branch `work`."""
    if not (folder / ".git").exists():
        git(folder, "init", "-q")
        git(folder, "checkout", "-q", "-b", "work")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "--allow-empty", "-m", "state")
