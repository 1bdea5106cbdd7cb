"""How long people wait: `plan`, a wrong job, and a second run, beside a bare Hydra program."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from benchmarks import jobs
from benchmarks.measure import ROOT, Contestant, in_turn, run
from benchmarks.results import Result, row
from benchmarks.setting import Setting

# What any Hydra program costs that only composes this configuration and prints it.
_BARE = (
    "import hydra\n"
    f"@hydra.main(config_path={str(ROOT / 'conf')!r}, config_name='config', version_base='1.3')\n"
    "def main(config): print(config.mode.name)\n"
    "main()\n"
)
_BARE_NAME = "bare Hydra program"


def measure(setting: Setting) -> Iterator[Result]:
    """Whole processes, from the command to its end."""
    folder = setting.scratch / "startup"
    folder.mkdir()
    job = jobs.default(str(folder), "mode.epochs=1")
    run(job, folder=folder)
    wrong = (
        "import subprocess, sys; "
        f"sys.exit(subprocess.run({[*job, 'mode.epochs=x']!r}).returncode != 2)"
    )
    bare = [sys.executable, "-c", _BARE, "hydra.run.dir=.", "hydra.output_subdir=null"]
    contestants = [
        Contestant(_BARE_NAME, bare),
        Contestant("plan", [*job, "plan"]),
        Contestant("second run", job),
        Contestant("wrong job (two processes)", [sys.executable, "-c", wrong]),
    ]
    found = in_turn(contestants, rounds=setting.rounds, folder=setting.scratch)
    yield Result(
        name="startup",
        title="Start-up, whole processes",
        explanation=(
            "The bare program composes the same configuration with `hydra.main` and prints one "
            "word of it. *Second run* is that of a training which is done already; the wrong job "
            "is started by a Python of its own, which looks at the exit code."
        ),
        rows=tuple(
            row(name, timing, other=found[_BARE_NAME], is_ours=name != _BARE_NAME)
            for name, timing in found.items()
        ),
        against=_BARE_NAME,
    )
