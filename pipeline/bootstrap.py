"""The first step after run.py, in the standard library alone: what is needed is there, then cli.

What this Python lacks is installed from wheels/, where a bundle has brought them. What it
has is left alone: the folder with the rest goes first on the path, and holds nothing else.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from pipeline.disk import clock as clock  # a time budget counts from here, wheels included
from pipeline.errors import WRONG_JOB, DependencyError, MindRunError
from pipeline.installing import installed
from pipeline.installing.installed import Need

LIST_NAME = "pip-requirements.txt"
WHEELS_NAME = "wheels"


def start(argv: Sequence[str], start_file: str) -> int:
    """Runs the command line, or says in one line what is missing; gives the exit code."""
    root = Path(start_file).parent
    try:
        make_ready(root)
    except MindRunError as error:
        return _refuse(f"{error}")
    try:
        from pipeline.cli import main
    except ModuleNotFoundError as error:
        # Such as what one of the needed packages needs itself, in an image that lost it.
        name = error.name or "pipeline"
        if name.split(".")[0] == "pipeline":
            raise
        return _refuse(_how_to_get([f"the module {name}"], f"-r {LIST_NAME}", root))
    return main(argv, root)


def make_ready(root: Path) -> None:
    """Everything on the list can be imported, here and in child processes.

    Raises:
        MindRunError: it cannot be; the message says what is missing and how to get it.
    """
    versions = installed.versions(sys.path)
    unmet = [need for need in read_needs(root) if not need.is_met_by(versions)]
    if not unmet:
        return
    wheels_folder = root / WHEELS_NAME
    if not wheels_folder.is_dir():
        told = [need.told(versions) for need in unmet]
        packages = " ".join(f'"{need.text}"' for need in unmet)
        raise DependencyError(_how_to_get(told, packages, root))
    # Read here only: an ordinary start needs none of it.
    from pipeline.installing import installation

    folder = installation.install(wheels_folder, unmet, versions)
    # Right behind run.py's own folder, where PYTHONPATH puts it in child processes as well.
    sys.path.insert(1, str(folder))
    inherited = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(folder), inherited]))


def read_needs(root: Path) -> list[Need]:
    """What is ours on the list; a bundle has it in wheels/, where no platform runs pip on it."""
    paths = (root / WHEELS_NAME / LIST_NAME, root / LIST_NAME)
    path = next((path for path in paths if path.is_file()), None)
    needs = installed.read_list(path.read_text(encoding="utf-8")) if path else []
    return [need for need in needs if need.name not in installed.FROM_THE_IMAGE]


def _how_to_get(told: Sequence[str], packages: str, root: Path) -> str:
    is_clone = (root / "Makefile").is_file()
    make = "`make venv` and start .venv/bin/python run.py, or " if is_clone else ""
    return (
        f"this Python ({sys.executable}) lacks {', '.join(told)}; do {make}"
        f"`pip install {packages}`; for a place without internet do "
        f"`{installed.bundle_command()}` in a clone on a machine with internet"
    )


def _refuse(message: str) -> int:
    sys.stderr.write(f"MindRun: {message}\n")
    return WRONG_JOB
