"""The second run over data that is here already."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from pathlib import Path

from benchmarks import data, jobs, tools
from benchmarks.measure import Contestant, in_turn, run, work_s
from benchmarks.results import Goal, Result, row
from benchmarks.setting import Setting

_LONGEST_MS = 30.0


def measure(setting: Setting) -> Iterator[Result]:
    """The stages fetch and extract once more over 20,000 files, beside looking at each file."""
    archive = data.make("pictures.zip", setting.data / tools.BUCKET)
    folder = setting.scratch / "warm"
    folder.mkdir()
    run(_command(archive, folder, outputs=folder), folder=folder)
    contestants = [
        Contestant(
            "MindRun",
            _command(archive, folder, outputs=Path("{target}")),
            told_s=jobs.event_seconds,
        ),
        Contestant("stat", tools.child("stat_all", str(folder / "data" / "datasets"))),
    ]
    found = in_turn(contestants, rounds=setting.rounds, folder=setting.scratch)
    ours, looking = found["MindRun"], found["stat"]
    stages = row("fetch + extract", ours, other=looking, seconds_of=work_s, is_ours=True)
    yield Result(
        name="warm",
        title="The second run over 20,000 files",
        explanation=(
            "Another run over data that an earlier one has fetched and unpacked: the time from "
            "the start of the run to the end of `extract`, its second and last stage, in its "
            "`events.jsonl` (looking whether anything is to do, skipping, writing the manifest), "
            "and the whole of `python run.py`, which also composes and checks the job. Beside "
            "them: what it would take only to `stat` every file, which is why receipts are "
            "looked at instead."
        ),
        rows=(
            stages,
            row("stat of every file", looking, other=looking, seconds_of=work_s),
            row("python run.py as a whole", ours, other=looking, is_ours=True),
        ),
        against="stat of every file",
        goals=(
            Goal(
                "fetch + extract together",
                statistics.median(ours.of(work_s)) * 1000,
                _LONGEST_MS,
                unit=" ms",
            ),
        ),
    )


def _command(archive: Path, folder: Path, *, outputs: Path) -> tuple[str, ...]:
    """The data in one folder, what the run leaves in another."""
    digest = data.digest(archive)
    command = jobs.fetch_and_extract(str(archive), archive.name, digest, str(folder))
    return (*command, f"cluster.output_dir={outputs}/outputs")
