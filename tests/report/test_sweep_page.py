"""The page of a sweep bears records and runs in any state, and ranks the jobs by their metric."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.report import sweep_page, sweep_record
from pipeline.report.sweep_record import SweepRecordError
from tests.report.folders import leave_sweep, leave_training, swept_job
from tests.report.test_markup import HOSTILE, seen
from tests.report.test_page import words_of

CAUSE = {"type": "TrainingError", "message": "the loss is <nan>", "stage": "train"}


def made(path: Path) -> str:
    """The text of the page of this record."""
    return sweep_page.write(path).read_text(encoding="utf-8")


def order(path: Path) -> list[int]:
    """The numbers of the jobs as they are ranked."""
    return [row.job.number for row in sweep_record.rows(sweep_record.read(path), path.parent)]


def test_a_sweep_is_shown_whole(tmp_path: Path) -> None:
    """Jobs, effects of keys, curves, failures, command; and a way to each run's own page."""
    for number in (1, 2):
        folder = leave_training(tmp_path, f"run-{number}")
        (folder / "report.html").write_text("x")
    failed = swept_job(3, status="failed", metrics={}, error=CAUSE)
    path = leave_sweep(tmp_path, [swept_job(1), swept_job(2, folder=str(folder)), failed])

    text = made(path)

    words = words_of(text)
    assert "best accuracy" in words
    assert "Job 3 · 作业 3: TrainingError in stage train" in words.replace(" ·  ", " · ")
    assert "the loss is <nan>" in words
    assert "python run.py -m mode.epochs=1,2" in words
    links = [v for n, v in seen(text).attributes if n == "href" and v and not v.startswith("#")]
    assert links == ["./../../run-1/report.html", "./../../run-2/report.html"]
    assert all((path.parent / link).is_file() for link in links)
    assert text.count("<svg") == 4


@pytest.mark.parametrize(("direction", "best"), [("max", [1, 2]), ("min", [2, 1])])
def test_the_best_job_comes_first(tmp_path: Path, direction: str, best: list[int]) -> None:
    """By the metric in its direction; what was not measured comes last, in its order."""
    jobs = [swept_job(1), swept_job(2), swept_job(4, metrics={"accuracy": None})]
    jobs.append(swept_job(3, status="waiting", metrics={"accuracy": "x"}))

    found = order(leave_sweep(tmp_path, jobs, direction=direction))

    assert found == [*best, 3, 4]


def test_without_a_metric_the_telling_one_is_taken(tmp_path: Path) -> None:
    """Before any job has ended a sweep may not know what it will be ranked by."""
    jobs = [swept_job(n, metrics={"loss": float(n), "zeal": 1.0}) for n in (2, 1)]

    path = leave_sweep(tmp_path, [*jobs, swept_job(3, status="waiting", metrics={})], metric="")

    assert order(path) == [1, 2, 3]
    assert "best loss" in words_of(made(path))


@pytest.mark.parametrize("folder", [None, "", "/nowhere/at all", "a\0b", "x" * 5000, "."])
def test_runs_that_are_not_there_cost_their_curve_only(tmp_path: Path, folder: Any) -> None:
    """A folder that is missing, was never made, or has no possible name."""
    words = words_of(made(leave_sweep(tmp_path, [swept_job(1, folder=folder), swept_job(2)])))

    assert "0.89" in words
    assert "Learning curves" not in words


def test_a_half_written_run_has_the_curve_that_there_is(tmp_path: Path) -> None:
    """A line cut by a kill is passed over."""
    folder = leave_training(tmp_path, "run-1", epochs=3)
    with (folder / "metrics.jsonl").open("a") as file:
        file.write('{"epoch": 4, "lo')

    assert "Learning curves" in words_of(made(leave_sweep(tmp_path, [swept_job(1)])))


def test_a_sweep_that_has_just_begun_has_a_page(tmp_path: Path) -> None:
    """No job, no metric, keys that are not known here."""
    text = made(leave_sweep(tmp_path, [], status="running", further={"a": [1]}))

    assert "sweep-1" in text


@pytest.mark.parametrize("content", ["", "[]", "{", '{"sweep_id": 3}', '{"jobs": {}}'])
def test_a_damaged_record_is_named(tmp_path: Path, content: str) -> None:
    """What cannot be read makes no page, and the message says which file it is."""
    path = tmp_path / "sweep.json"
    path.write_text(content)

    with pytest.raises(SweepRecordError, match=r"sweep\.json cannot be read"):
        sweep_page.write(path)


def test_a_thousand_jobs_make_a_page_of_bearable_size(tmp_path: Path) -> None:
    """Some are drawn and listed, every failure among them; the page says how many."""
    for number in range(1, 101):
        leave_training(tmp_path, f"run-{number}", epochs=20)
    jobs = [swept_job(n, overrides={"seed": n, "model": str(n % 3)}) for n in range(1, 1001)]
    jobs[-1] |= {"status": "failed", "metrics": {}, "error": CAUSE}

    text = made(leave_sweep(tmp_path, jobs))

    words = words_of(text)
    assert len(text) < 1_500_000
    assert "301 of 1,000 jobs; all of them are in sweep.json." in words
    assert "65 of 100 jobs are drawn, the best among them." in words
    assert "Job 1000" in words


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(HOSTILE, HOSTILE, st.sampled_from(["complete", "failed"]))
def test_nothing_in_a_sweep_becomes_markup(
    tmp_path: Path, text: str, other: str, status: str
) -> None:
    """Keys, values, names and messages of others stay text."""
    cause = {"type": text, "message": other, "stage": text}
    jobs = [
        swept_job(
            n, overrides={text: f"{other}{n}", "b": n}, status=status, error=cause, run_id="r"
        )
        for n in range(1, 4)
    ]
    plain = {"sweep_id": text, "command": other, "engine": text, "metric": "accuracy"}
    record = sweep_record.SweepRecord.model_validate({**plain, "jobs": jobs})

    found = seen(sweep_page.made(record, tmp_path))

    assert found.tags.count("script") == 1
    assert found.tags.count("img") == 0
    assert [name for name, _ in found.attributes if name.startswith("on")] == []


def test_numbers_in_texts_are_numbers() -> None:
    """A record may hold overrides as they were typed."""
    assert json.dumps(sweep_record.numbers(["1e-3", "2"])) == "[0.001, 2.0]"
    assert sweep_record.numbers(["nan"]) is None
