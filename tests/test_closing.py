"""The page of a run: made at its end, exported with it, and never in the way of the job."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from pipeline import errors
from pipeline.disk.files import sha256_of
from pipeline.running.runner import Outcome
from tests.running import files_below, go, make_job

PAGE = "report.html"
MADE = ("fetch", "extract", "tests.running.make", "export")


def page_of(outcome: Outcome) -> str:
    """The text of the run's page."""
    return (outcome.folder / PAGE).read_text(encoding="utf-8")


def listed(outcome: Outcome) -> list[str]:
    """The paths of the run's artifacts."""
    return [artifact.path for artifact in outcome.manifest.artifacts]


def test_the_page_is_an_artifact_and_is_exported(tmp_path: Path) -> None:
    """It is in the record with its digest, and at the export place."""
    outcome = go(make_job(tmp_path, stages=MADE))

    exported = tmp_path / "exports" / outcome.manifest.run_id / PAGE
    artifact = next(a for a in outcome.manifest.artifacts if a.path == PAGE)
    assert artifact.sha256 == sha256_of(outcome.folder / PAGE) == sha256_of(exported)
    assert 'class="badge complete"' in page_of(outcome)


def test_a_finished_run_makes_nothing_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Started again it leaves every file as it was, and says nothing."""
    job = make_job(tmp_path, stages=MADE)
    first = go(job)
    before = files_below(first.folder)
    caplog.clear()

    with caplog.at_level(logging.INFO):
        again = go(job)

    assert again.was_done
    assert files_below(first.folder) == before
    assert caplog.text == ""


def test_without_an_export_it_is_made_at_the_end(tmp_path: Path) -> None:
    """A job that keeps its results has the page, too."""
    outcome = go(make_job(tmp_path, stages=("fetch", "tests.running.make")))

    assert PAGE in listed(outcome)
    assert "make" in page_of(outcome)


def test_a_job_that_only_brings_data_has_none(tmp_path: Path) -> None:
    """There is nothing to show of it."""
    outcome = go(make_job(tmp_path))

    assert PAGE not in listed(outcome)
    assert not (outcome.folder / PAGE).exists()


@pytest.mark.parametrize(
    ("stage", "status", "code"),
    [("boom", "failed", 1), ("interrupt", "interrupted", 130), ("terminate", "interrupted", 143)],
)
def test_what_ended_early_is_shown_and_exported(
    tmp_path: Path, stage: str, status: str, code: int
) -> None:
    """The page says how and in which stage; it leaves with what else there is."""
    outcome = go(make_job(tmp_path, stages=("fetch", f"tests.running.{stage}", "export")))

    assert outcome.exit_code == code
    assert f'class="badge {status}"' in page_of(outcome)
    assert f"in stage {stage}" in page_of(outcome)
    assert "word-for-tests" not in page_of(outcome)
    assert (tmp_path / "exports" / outcome.manifest.run_id / PAGE).is_file()


def test_a_failure_before_the_work_began_has_no_page(tmp_path: Path) -> None:
    """Where nothing was fetched there is nothing to show."""
    job = make_job(tmp_path, stages=MADE, url=str(tmp_path / "nowhere.zip"))

    outcome = go(job)

    assert outcome.exit_code == errors.FAILED
    assert not (outcome.folder / PAGE).exists()


def test_a_failed_export_is_shown_until_it_succeeds(tmp_path: Path) -> None:
    """The page on this machine says that the export failed; the next start makes it right."""
    (tmp_path / "exports").write_text("no folder")
    job = make_job(tmp_path, stages=MADE)

    failed = go(job)
    first_page = page_of(failed)
    (tmp_path / "exports").unlink()
    done = go(job)

    assert (failed.exit_code, done.exit_code) == (1, 0)
    assert 'class="badge failed"' in first_page
    assert 'class="badge complete"' in page_of(done)


def test_a_page_that_cannot_be_made_stops_no_job(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The log warns, and everything else of the job is done and exported."""
    job = make_job(tmp_path, stages=MADE)
    (tmp_path / "outputs" / job.run_id / PAGE).mkdir(parents=True)

    outcome = go(job)

    assert outcome.exit_code == errors.DONE
    assert "the report could not be made" in caplog.text
    assert "result.txt" in listed(outcome)
