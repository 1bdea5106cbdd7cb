"""One job from a job file, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from pipeline import manifest
from pipeline.running import runfolder
from pipeline.starting import assignment
from pipeline.starting.assignment import Assignment
from tests.jobs import ROOT, composed
from tests.running import make_archive

pytestmark = pytest.mark.usefixtures("quick_jobs")


def job_in(folder: Path, *argv: str) -> Assignment:
    """A job that fetches, unpacks and exports one small archive, all below the folder."""
    archive = make_archive(folder / "source" / "set.zip")
    made = composed(
        "mode.stages=[fetch,extract,export]",
        f"dataset.archives=[{{url: '{archive}', name: set.zip}}]",
        *(f"cluster.{name}_dir={folder}/{name}" for name in ("data", "output")),
        f"cluster.export_url={folder}/exports",
        *argv,
    )
    return Assignment(made.job, made.mapping, "python run.py", is_probed=True)


def start(file: Path, **variables: str) -> subprocess.Popen[str]:
    """The child that runs the job in this file."""
    return subprocess.Popen(
        [sys.executable, "-m", "pipeline.child", str(file)],
        env={**os.environ, "PYTHONPATH": str(ROOT), **variables},
        cwd=file.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_a_child_needs_no_hydra() -> None:
    """Neither what composes jobs nor what computes is imported to run one."""
    heavy = "{'hydra', 'omegaconf', 'antlr4', 'mindspore', 'numpy'}"
    script = f"import sys, pipeline.child; print(sorted({heavy} & set(sys.modules)))"

    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "[]"


def test_a_child_does_the_job(tmp_path: Path) -> None:
    """It ends as run.py does, with the same record, and finds it done the second time."""
    job = job_in(tmp_path)
    assignment.write(tmp_path / "job.json", job)

    said = [start(tmp_path / "job.json").communicate(timeout=60)[0] for _ in range(2)]

    found = manifest.read(tmp_path / "output" / job.job.run_id)
    assert found is not None
    assert (found.status, found.digest) == ("complete", job.job.digest)
    assert "complete" in said[0]
    assert "already done" in said[1]


def test_a_damaged_file_is_a_wrong_job(tmp_path: Path) -> None:
    """What cannot be read ends with 2 and one message."""
    (tmp_path / "job.json").write_text("{", encoding="utf-8")

    child = start(tmp_path / "job.json")
    said, _ = child.communicate(timeout=60)

    assert child.returncode == 2
    assert "job.json is no job that can be run" in said
    assert "Traceback" not in said


@pytest.mark.parametrize(("status", "exit_code"), [("complete", 0), ("failed", 1), ("running", 0)])
def test_the_verdict_of_whoever_runs_it_already_counts(
    tmp_path: Path, status: str, exit_code: int
) -> None:
    """A child waits for the lock; a failure there is its own, a killed run is gone on with."""
    job = job_in(tmp_path)
    assignment.write(tmp_path / "job.json", job)
    start(tmp_path / "job.json").communicate(timeout=60)
    folder = tmp_path / "output" / job.job.run_id
    record = manifest.read(folder)
    assert record is not None

    with runfolder.owned(folder):
        child = start(tmp_path / "job.json")
        line = _until(child, "this one waits")
        record.replaced(status=status, finished=_later(record)).write(folder)
    said, _ = child.communicate(timeout=60)

    assert f"pid {os.getpid()}" in line
    assert child.returncode == exit_code
    assert ("that process has failed" in said) == (status == "failed")


def _later(record: manifest.Manifest) -> str:
    return "2999" + str(record.finished)[4:]


def _until(child: subprocess.Popen[str], words: str) -> str:
    assert child.stdout is not None
    patience = threading.Timer(30, child.kill)
    patience.start()
    line = next((line for line in child.stdout if words in line), "")
    patience.cancel()
    assert line, f"the child never said {words!r}"
    return line


def test_cores_are_kept_to() -> None:
    """The child and all it starts use the cores that it was given."""
    if not hasattr(os, "sched_setaffinity"):
        pytest.skip("this system has no affinity of processes to cores")
    core = min(os.sched_getaffinity(0))
    script = "import os; from pipeline import child; child.main(child.Path('none')); "
    script += "print(sorted(os.sched_getaffinity(0)))"

    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": str(ROOT), "MINDRUN_CORES": str(core)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert json.loads(done.stdout) == [core]
