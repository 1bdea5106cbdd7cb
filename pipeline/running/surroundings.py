"""What a run happened in: versions, machine, git commit. For the manifest."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import socket
import subprocess
from pathlib import Path
from typing import Any

from pipeline.job.job import Job

_PACKAGES = ("mindspore", "numpy", "hydra-core", "omegaconf", "pydantic")


def describe(job: Job) -> dict[str, Any]:
    """Versions, host, device and commit, without importing any of the packages."""
    return {
        "python": platform.python_version(),
        **{name: _version(name) for name in _PACKAGES},
        "git_commit": _git_commit(job.root),
        "host": socket.gethostname(),
        "machine": platform.machine(),
        "system": platform.platform(),
        "cores": os.cpu_count(),
        "device": job.device.target,
        "variables": {name: os.environ.get(name, value) for name, value in job.device.env.items()},
    }


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _git_commit(root: Path) -> str | None:
    """The commit of the checkout, with a plus when files differ from it; None without git."""
    try:
        commit = _git(root, "rev-parse", "HEAD").strip()
        changed = _git(root, "status", "--porcelain", "--untracked-files=no").strip()
    except (OSError, subprocess.SubprocessError):
        return None
    return f"{commit}+" if changed else commit


def _git(root: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", "--no-optional-locks", "-C", str(root), *arguments],
        capture_output=True,
        text=True,
        timeout=10,
        check=True,
    ).stdout
