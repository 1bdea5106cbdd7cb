"""How long people wait: `plan`, a wrong job, and a second run, beside a bare Hydra program."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.measure import in_turn, show

ROOT = Path(__file__).resolve().parent.parent

# What any Hydra program costs that only composes this configuration and prints it.
_BARE = (
    "import hydra\n"
    f"@hydra.main(config_path={str(ROOT / 'conf')!r}, config_name='config', version_base='1.3')\n"
    "def main(config): print(config.mode.name)\n"
    "main()\n"
)


def main(rounds: int) -> None:
    """Measures and prints."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run = [
            sys.executable,
            str(ROOT / "run.py"),
            f"cluster.data_dir={folder}/data",
            f"cluster.output_dir={folder}/outputs",
            f"cluster.export_url={folder}/exports",
            "mode.epochs=1",
        ]
        subprocess.run(run, check=True, capture_output=True)
        wrong = (
            "import subprocess, sys; "
            f"sys.exit(subprocess.run({[*run, 'mode.epochs=x']!r}).returncode != 2)"
        )
        commands = {
            "bare Hydra program": [
                sys.executable,
                "-c",
                _BARE,
                "hydra.run.dir=.",
                "hydra.output_subdir=null",
            ],
            "plan": [*run, "plan"],
            "second run": run,
            "wrong job (two processes)": [sys.executable, "-c", wrong],
        }
        timings = in_turn(commands, rounds=rounds, folder=folder)
        show("start-up, whole processes", timings, against="bare Hydra program")
