"""What people see of a job, before and after."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipeline.job.job import Archive
from pipeline.manifest import Failure
from pipeline.running import steps
from pipeline.running.runner import Outcome
from pipeline.stage import find_all
from pipeline.starting import views
from tests.running import context_of, go, make_job


def plan(folder: Path, *, is_result: bool = True, **changes: object) -> None:
    """The plan of the job is shown."""
    job = make_job(folder, **changes)  # type: ignore[arg-type]
    context = context_of(job)
    stages, _ = find_all(job.mode.stages)
    views.show_plan(context, steps.foresee(stages, context), is_result=is_result)


def test_a_plan_names_places_and_stages(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Folders, export place and each stage with what it would do, uncut and without blanks."""
    plan(tmp_path)

    said = capsys.readouterr()
    lines = said.out.splitlines()
    assert said.err == ""
    assert f"results  {tmp_path}/outputs/try-net-set-01234567" in lines
    assert f"export   {tmp_path}/exports/try-net-set-01234567" in lines
    assert "extract  would unpack what is fetched" in lines
    assert [line for line in lines if line != line.rstrip()] == []


def test_a_plan_has_a_line_for_each_input(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also for what needs nothing; what makes this run a new one stands above."""
    job = make_job(tmp_path)
    archives = tuple(Archive(url=str(tmp_path), name=name, mount=True) for name in ("a", "b"))
    dataset = job.dataset.model_copy(update={"archives": archives})
    context = context_of(job.model_copy(update={"dataset": dataset}))
    stages, _ = find_all(("fetch", "extract"))

    views.show_plan(context, steps.foresee(stages, context), is_result=True, news="a new run; x")

    lines = capsys.readouterr().out.splitlines()
    assert "new      a new run; x" in lines
    assert lines[-5:] == [
        "fetch    skipped: a: used in place",
        "         skipped: b: used in place",
        f"extract  a: would link {tmp_path}/data/a to it",
        f"         b: would link {tmp_path}/data/b to it",
        "",
    ]


def test_a_plan_on_the_way_is_no_result(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Before a run the plan goes to standard error; without export it says so."""
    go(make_job(tmp_path, stages=("fetch", "extract")))
    capsys.readouterr()

    plan(tmp_path, is_result=False, stages=("fetch", "extract"), run={"fresh": True})

    said = capsys.readouterr()
    assert said.out == ""
    assert "nowhere: the job has no export stage" in said.err
    assert "run.fresh=true; the earlier run is put aside" in said.err


def summary(outcome: Outcome) -> None:
    """The summary is shown."""
    views.show_summary(outcome, command="python run.py a=b", next_command="python run.py next")


def test_a_summary_ends_with_the_next_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Metrics, places and what to type next are a result."""
    summary(go(make_job(tmp_path, stages=("fetch", "tests.running.make", "export"))))

    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["", "complete"]
    assert "  accuracy  0.5000" in lines
    assert lines[-1] == "  next      python run.py next"


@pytest.mark.parametrize(
    ("kind", "shown"), [("KeyError", "KeyError: 'a'"), ("ArchiveError", "'a'")]
)
def test_a_failure_says_stage_cause_log_and_how_to_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str, shown: str
) -> None:
    """Somebody else's error is named with its type, one of ours by its message alone."""
    outcome = go(make_job(tmp_path, stages=("tests.running.boom",)))
    failure = Failure(type=kind, message="'a'", stage="boom")
    failed = Outcome(1, outcome.folder, outcome.manifest.replaced(error=failure))
    capsys.readouterr()

    summary(failed)

    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines()[-4:] == [
        "  stage    boom",
        f"  cause    {shown}",
        f"  log      {outcome.folder}/run.log",
        "  resume   python run.py a=b",
    ]


def test_nothing_to_do_names_age_and_metric(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A finished run is announced with the command that starts anew."""
    job = make_job(tmp_path, stages=("fetch", "tests.running.make"))
    go(job)

    summary(go(job))

    said = capsys.readouterr().out
    assert re.search(r"finished \d+\.\d s ago, accuracy 0\.5000", said)
    assert "anew     python run.py a=b run.fresh=true" in said
