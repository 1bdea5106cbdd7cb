"""A run killed at any instant: what lies there means what it says, and the same job finishes.

A forked child is ended, as by kill -9, just before its n-th change to a file or folder.
"""

from __future__ import annotations

import os
import random
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from pipeline import manifest
from pipeline.job.job import Job
from tests.running import files_below, go, make_archive, make_job

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="kills a forked child"),
]

STAGES = ("fetch", "extract", "tests.running.make", "export")
CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.symlink", "os.truncate"}
KILLED, ENDED_BY_ITSELF = 9, 0


def is_change(event: str, arguments: tuple[Any, ...]) -> bool:
    """Whether an audit event is about to change what lies on the disk."""
    if event == "open":
        is_for_writing = bool((arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
        return is_for_writing and arguments[0] != os.devnull
    return event in CHANGES


def run_killed(job: Job, *, at: int) -> bool:
    """The job is run in a child that dies before its n-th change; whether it came so far."""
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        left = [at]

        def hook(event: str, arguments: tuple[Any, ...]) -> None:
            if is_change(event, arguments):
                left[0] -= 1
                if left[0] == 0:
                    os._exit(KILLED)

        sys.addaudithook(hook)
        outcome = go(job)
        os._exit(outcome.exit_code)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (KILLED, ENDED_BY_ITSELF)
    return status == KILLED


def assert_nothing_is_pretended(folder: Path, job: Job) -> None:
    """Final names hold whole things, and a manifest that says complete speaks the truth."""
    for path in (folder / "data" / "downloads").glob("[!._]*.zip"):
        with zipfile.ZipFile(path) as archive:
            assert archive.testzip() is None
    for path in (folder / "data" / "datasets").glob("[!._]*"):
        assert sorted(files_below(path)) == ["test/b.txt", "train/a.txt"]
    local, there = folder / "outputs" / job.run_id, folder / "exports" / job.run_id
    here, exported = manifest.read(local), manifest.read(there)
    if exported and exported.status == "complete":
        assert manifest.is_intact(exported, there)
    if here and here.status == "complete":
        assert exported == here


def assert_finishes(folder: Path, job: Job) -> None:
    """The same job runs to its end, and what it made is what an undisturbed run makes."""
    outcome = go(job)

    made = outcome.manifest
    assert (outcome.exit_code, made.status) == (0, "complete")
    assert [s.name.rpartition(".")[2] for s in made.stages] == [
        name.rpartition(".")[2] for name in STAGES
    ]
    assert made.metrics == {"accuracy": 0.5}
    assert made.inputs[0]["sha256"]
    assert "result.txt" in [artifact.path for artifact in made.artifacts]
    assert_nothing_is_pretended(folder, job)
    assert manifest.is_intact(made, folder / "exports" / job.run_id)
    assert (folder / "data" / "set" / "train" / "a.txt").read_text() == "one"
    assert go(job).was_done


def killed_everywhere(tmp_path: Path, prepare: Any, *, stride: int) -> int:
    """Kills a run at every n-th change, each in a folder of its own; how many kills that were."""
    kills, at = 0, random.Random(stride).randint(1, stride)
    while True:
        folder = tmp_path / str(at)
        job = prepare(folder)
        if not run_killed(job, at=at):
            return kills
        assert_nothing_is_pretended(folder, job)
        assert_finishes(folder, job)
        kills, at = kills + 1, at + stride


def first_time(folder: Path) -> Job:
    """A job that never ran."""
    return make_job(folder, stages=STAGES)


def once_more_fresh(folder: Path) -> Job:
    """A finished job, asked for anew; the attempt goes on counting however often it is killed."""
    go(make_job(folder, stages=STAGES))
    return make_job(folder, stages=STAGES, run={"fresh": True})


def with_changed_input(folder: Path) -> Job:
    """A finished job whose archive has been replaced since."""
    job = make_job(folder, stages=STAGES)
    go(job)
    archive = folder / "source" / "set.zip"
    make_archive(archive, "another")
    go(job)
    make_archive(archive)
    return job


@pytest.mark.parametrize("stride", [17, 5])
def test_a_first_run_killed_anywhere_is_finished_by_the_next(tmp_path: Path, stride: int) -> None:
    """Wherever a first run is killed, nothing is pretended and the next start finishes."""
    assert killed_everywhere(tmp_path, first_time, stride=stride) > 3


@pytest.mark.parametrize("stride", [41, 7])
def test_a_run_with_changed_input_killed_anywhere(tmp_path: Path, stride: int) -> None:
    """Starting anew because the input has changed may be killed anywhere, too."""
    assert killed_everywhere(tmp_path, with_changed_input, stride=stride) > 1


def test_starting_anew_killed_anywhere_keeps_counting(tmp_path: Path) -> None:
    """Killed at any change of a fresh start, the command that goes on finishes a second attempt."""
    for at in range(1, 40, 9):
        folder = tmp_path / str(at)
        assert run_killed(once_more_fresh(folder), at=at)

        outcome = go(make_job(folder, stages=STAGES))

        is_renamed = (folder / "outputs" / f"{outcome.folder.name}.old-1").exists()
        assert outcome.manifest.status == "complete"
        assert outcome.manifest.attempt == (2 if is_renamed else 1)


def test_a_changed_folder_killed_anywhere_is_the_old_one_or_the_new(tmp_path: Path) -> None:
    """Under its name never lies a mixture, and the next run brings the new one."""
    at = 1
    while True:
        source = tmp_path / str(at) / "source" / "set"
        source.mkdir(parents=True)
        for name in "ab":
            (source / name).write_text("old")
        job = make_job(tmp_path / str(at), stages=("fetch",), url=f"{source}/")
        go(job)
        for name in "ab":
            (source / name).write_text("newer")
        was_killed = run_killed(job, at=at)

        for attempt in range(2):
            places = (tmp_path / str(at) / "data" / "datasets").glob("[!._]*")
            found = [{(place / name).read_text() for name in "ab"} for place in places]
            allowed = [[{"newer"}]] if attempt else [[{"old"}], [{"newer"}], []]
            assert found in allowed
            assert go(job).exit_code == 0
        if not was_killed:
            return
        at += 5
