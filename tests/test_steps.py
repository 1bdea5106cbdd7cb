"""Which stages of a job work, decided beforehand."""

from __future__ import annotations

from pathlib import Path

from pipeline.running import completion, steps
from pipeline.stage import find_all
from tests.running import context_of, go, make_archive, make_job

STAGES = ("fetch", "extract", "tests.running.prepare_thing", "tests.running.use_thing", "export")


def decided(folder: Path, **changes: object) -> list[steps.Step]:
    """The steps of the job, as plan would show them."""
    job = make_job(folder, stages=STAGES, **changes)  # type: ignore[arg-type]
    stages, mistakes = find_all(job.mode.stages)
    assert mistakes == []
    return steps.foresee(stages, context_of(job))


def works(found: list[steps.Step]) -> list[bool]:
    """Which of them work."""
    return [step.works for step in found]


def test_everything_works_the_first_time(tmp_path: Path) -> None:
    """Where nothing is there yet, every stage works."""
    assert works(decided(tmp_path)) == [True] * 5


def test_a_preparation_nobody_needs_is_skipped(tmp_path: Path) -> None:
    """With the result there, what was only prepared for it is not prepared again."""
    folder = context_of(make_job(tmp_path, stages=STAGES)).folder
    (folder / "result.txt").write_text("abc")

    found = decided(tmp_path)

    assert works(found) == [True, True, False, False, True]
    assert [step.reason for step in found[2:4]] == ["no later stage needs it", "made already"]


def test_what_is_here_is_not_fetched_again(tmp_path: Path) -> None:
    """After a run, fetch and extract give their products without working."""
    go(make_job(tmp_path, stages=STAGES))

    found = decided(tmp_path)

    assert works(found) == [False, False, False, False, True]
    assert found[1].outlook.facts == {"members": 2, "total_bytes": 9}


def test_a_changed_input_works_though_nothing_seems_to_need_it(tmp_path: Path) -> None:
    """Only fetching tells whether a replaced archive is another one."""
    go(make_job(tmp_path, stages=STAGES))
    make_archive(tmp_path / "source" / "set.zip", "another")

    found = decided(tmp_path)

    assert found[0].works
    assert found[0].outlook.state == "changed"


def test_fresh_foresees_an_empty_run_folder(tmp_path: Path) -> None:
    """A plan of a fresh start shows all work, though the finished run still lies there."""
    go(make_job(tmp_path, stages=STAGES))

    assert works(decided(tmp_path, run={"fresh": True})) == [False, False, True, True, True]


def test_a_finished_run_looks_complete_without_asking_its_place(tmp_path: Path) -> None:
    """Local files alone settle every step, the export's too."""
    job = make_job(tmp_path, stages=STAGES)
    go(job)
    stages, _ = find_all(job.mode.stages)
    context = context_of(job)
    found = steps.foresee(stages, context)

    assert completion.looks_complete(context, found)
    assert works(completion.settled(found)) == [False] * 5
