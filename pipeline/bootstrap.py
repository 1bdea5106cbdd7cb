"""The first step after run.py, in the standard library alone: what is needed is there, then cli."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path

# Import names of what pipeline.cli needs, with the names that pip knows.
NEEDED = {
    "hydra": "hydra-core",
    "omegaconf": "omegaconf",
    "pydantic": "pydantic",
    "rich": "rich",
    "filelock": "filelock",
    "yaml": "PyYAML",
}


def start(argv: Sequence[str], start_file: str) -> int:
    """Runs the command line, or says in one line what is missing; gives the exit code."""
    missing = [name for module, name in NEEDED.items() if importlib.util.find_spec(module) is None]
    if missing:
        sys.stderr.write(
            f"MindRun: this Python ({sys.executable}) lacks {', '.join(missing)}; "
            f"do `pip install {' '.join(missing)}`, or `make venv` and start "
            f".venv/bin/python run.py\n"
        )
        return 2
    from pipeline.cli import main

    return main(argv, Path(start_file).parent)
