"""What was exported comes back where the run folder is gone."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from pipeline.job.job import Job, Launched
from pipeline.messages import log
from pipeline.running.runner import Outcome
from tests.running import DIGEST, files_below, go, make_job

STAGES = ("fetch", "extract", "tests.running.make", "export")
BROKEN = ("fetch", "extract", "tests.running.make", "tests.running.boom", "export")


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """A job that leaves a result at its export place."""
    return make_job(tmp_path, stages=STAGES)


def gone(outcome: Outcome) -> Path:
    """The place of the run at the export place; here its folder is lost."""
    shutil.rmtree(outcome.folder)
    return outcome.folder.parent.parent / "exports" / outcome.folder.name


def test_a_complete_run_comes_back_and_is_done(job: Job) -> None:
    """Every artifact and the record, the same as before; no stage works, nothing is sent."""
    first = go(job)
    before = files_below(first.folder)
    gone(first)

    again = go(job)

    assert again.was_done
    after = files_below(again.folder)
    before.pop(".exported.json")
    sent = json.loads(after.pop(".exported.json"))["sent"]
    after["run.log"], after["events.jsonl"] = before["run.log"], before["events.jsonl"]
    assert after == before
    assert {path: facts["sha256"] for path, facts in sent.items()} == {
        a.path: a.sha256 for a in first.manifest.artifacts
    }


def test_a_failed_run_goes_on_from_what_it_had_exported(tmp_path: Path) -> None:
    """Done stages stay done; what happened before stays in the log; the attempt is the same."""
    first = go(make_job(tmp_path, stages=BROKEN))
    place = gone(first)
    assert (place / "result.txt").is_file()

    again = go(make_job(tmp_path, stages=BROKEN))

    assert again.exit_code == 1
    assert again.manifest.attempt == 1
    assert (again.folder / "count.txt").read_text() == "made\n"
    events = (again.folder / "events.jsonl").read_text().splitlines()
    assert [json.loads(line)["event"] for line in events].count("run_started") == 2
    assert "resuming run" in (again.folder / "run.log").read_text()


def test_a_damaged_or_lost_file_is_left_out_and_made_again(job: Job) -> None:
    """Bytes that are not those of the record do not come back."""
    place = gone(go(job))
    (place / "result.txt").write_text("xyz")
    (place / "config.yaml").unlink()

    again = go(job)

    assert not again.was_done
    assert again.exit_code == 0
    assert (again.folder / "result.txt").read_text() == "abc"
    assert (place / "result.txt").read_text() == "abc"
    assert (place / "config.yaml").is_file()


def test_a_record_cannot_lead_out_of_the_folder(job: Job, tmp_path: Path) -> None:
    """A path in an exported record is as little trusted as one in an archive."""
    place = gone(go(job))
    (tmp_path / "exports" / "stolen.txt").write_text("abc")
    record = json.loads((place / "manifest.json").read_text())
    record["artifacts"][0]["path"] = "../stolen.txt"
    (place / "manifest.json").write_text(json.dumps(record))

    go(job)

    assert not (tmp_path / "outputs" / "stolen.txt").exists()


@pytest.mark.parametrize("change", ["fresh", "digest", "older attempt", "no record", "nonsense"])
def test_what_is_not_this_run_does_not_come_back(tmp_path: Path, change: str) -> None:
    """A fresh start, another job's run, an attempt that was given up, a place without a record."""
    first = go(make_job(tmp_path, stages=STAGES))
    place = gone(first)
    if change == "older attempt":
        aside = first.folder.with_name(f"{first.folder.name}.old-1")
        aside.mkdir()
        shutil.copy(place / "manifest.json", aside)
    elif change == "no record":
        (place / "manifest.json").unlink()
    elif change == "nonsense":
        (place / "manifest.json").write_text("{")
    digest = f"{DIGEST[:8]}{'f' * 56}" if change == "digest" else DIGEST

    again = go(make_job(tmp_path, stages=STAGES, digest=digest, run={"fresh": change == "fresh"}))

    assert not again.was_done
    assert again.exit_code == 0
    # A fresh start counts on from what it finds there.
    assert again.manifest.attempt == (2 if change in ("older attempt", "fresh") else 1)


def restarted(folder: Path, name: str, *, fresh: bool = True) -> Job:
    """The job as a platform starts it that calls it by this name."""
    job = make_job(folder, stages=BROKEN, run={"fresh": fresh})
    return job.model_copy(update={"launched": Launched(is_launch=True, job=name)})


@pytest.mark.parametrize("is_elsewhere", [False, True])
def test_a_platform_that_starts_a_job_again_does_not_start_it_anew_again(
    tmp_path: Path, *, is_elsewhere: bool
) -> None:
    """run.fresh counts once per platform job, on this machine and on another one."""
    go(restarted(tmp_path, "job-0", fresh=False))
    first = go(restarted(tmp_path, "job-1"))
    if is_elsewhere:
        shutil.rmtree(tmp_path / "outputs")

    again = go(restarted(tmp_path, "job-1"))
    other = go(restarted(tmp_path, "job-2"))

    assert [o.manifest.attempt for o in (first, again, other)] == [2, 2, 3]
    assert other.manifest.launch["job"] == "job-2"
    assert (again.folder.with_name(f"{again.folder.name}.old-2")).exists() is not is_elsewhere


def test_a_fresh_start_elsewhere_replaces_what_was_exported(tmp_path: Path) -> None:
    """What an older attempt left there is not taken for this one's, and goes in the end."""
    first = go(make_job(tmp_path, stages=STAGES))
    place = gone(first)
    record = json.loads((place / "manifest.json").read_text())
    (place / "old.txt").write_text("old")
    record["artifacts"].append({"path": "old.txt", "size_bytes": 3, "sha256": "0" * 64})
    (place / "manifest.json").write_text(json.dumps(record))

    again = go(make_job(tmp_path, stages=STAGES, run={"fresh": True}))

    assert again.manifest.attempt == 2
    assert not (place / "old.txt").exists()
    assert (place / "manifest.json").read_bytes() == (again.folder / "manifest.json").read_bytes()


def test_an_interim_record_is_gone_on_from(tmp_path: Path) -> None:
    """What a killed process had exported by then comes back; it counts as interrupted."""
    place = gone(go(make_job(tmp_path, stages=BROKEN)))
    log.to_terminal()
    record = json.loads((place / "manifest.json").read_text())
    (place / "manifest.json").write_text(
        json.dumps({**record, "status": "running", "finished": None, "error": None})
    )

    again = go(make_job(tmp_path, stages=BROKEN))

    assert (again.folder / "count.txt").read_text() == "made\n"
    assert "(interrupted); bringing it back" in (again.folder / "run.log").read_text()


def test_a_place_that_cannot_be_asked_does_not_stop_the_job(tmp_path: Path) -> None:
    """It is told in the log; the work is done, and the export tells the truth in the end."""
    log.to_terminal()
    (tmp_path / "file").write_text("no folder")

    ended = go(make_job(tmp_path, stages=STAGES, cluster={"export_url": str(tmp_path / "file")}))

    assert ended.exit_code == 1
    assert "could not look for an earlier start" in (ended.folder / "run.log").read_text()
    assert (ended.folder / "result.txt").read_text() == "abc"


def test_what_was_interrupted_while_coming_back_comes_back(job: Job) -> None:
    """Half of the files without the record are no run; the next start brings the rest."""
    first = go(job)
    gone(first)
    first.folder.mkdir()
    (first.folder / ".restoring").write_text("")
    (first.folder / "count.txt").write_text("half")

    again = go(job)

    assert again.was_done
    assert (again.folder / "count.txt").read_text() == "made\n"
    assert not (again.folder / ".restoring").exists()
