"""Whole searches on this machine, in real processes."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.sweeping import starting
from tests.sweeping.starting import LONGEST_S, record, wait_until

optuna = pytest.importorskip("optuna")

pytestmark = pytest.mark.slow

MOMENTUM = "mode.momentum=interval(0.1,0.9)"
STAGES = "mode.stages=[fetch,extract,tests.sweeping.learning.learn,export]"
BASE = (STAGES, "mode.epochs=4")


def run(folder: Path, *words: str) -> tuple[int, str]:
    """The search's exit code and all that it said."""
    return starting.run(folder, *BASE, *words)


def tell(folder: Path, name: str) -> None:
    """Every job that looks for it finds this file."""
    (folder / "acts").mkdir(exist_ok=True)
    (folder / "acts" / name).touch()


def begun(folder: Path) -> list[tuple[int, str]]:
    """Process and run id of each job that has begun, in their order."""
    path = folder / "acts" / "begun"
    lines = path.read_text().splitlines() if path.is_file() else []
    return [(int(line.split()[0]), line.split()[1]) for line in lines]


def trials(folder: Path) -> list[Any]:
    """The trials as Optuna has them."""
    path = next((folder / "output_dir" / "sweeps").glob("*/search.db"))
    storage = optuna.storages.RDBStorage(f"sqlite:///{path}")
    try:
        study = optuna.load_study(study_name=path.parent.name, storage=storage)
        found: list[Any] = study.trials
    finally:
        storage.remove_session()
        storage.engine.dispose()
    return found


def states(folder: Path) -> list[str]:
    """How Optuna has each trial."""
    return [trial.state.name for trial in trials(folder)]


def test_the_better_end_is_found_once(tmp_path: Path) -> None:
    """The best of a simple function comes near; the same command then does nothing."""
    words = (MOMENTUM, "mode.batch_size=16,32", "sweep.search.pruner=none", "sweep.jobs=2")

    first, said = run(tmp_path, *words, "sweep.search.trials=14")
    found = record(tmp_path)
    second, said_again = run(tmp_path, *words, "sweep.search.trials=14")
    same = record(tmp_path)
    third, _ = run(tmp_path, *words, "sweep.search.trials=15")

    assert (first, second, third) == (0, 0, 0)
    jobs = {job["number"]: job for job in found["jobs"]}
    assert [*jobs] == [*range(1, 15)]
    best = jobs[found["search"]["best"]]
    assert best["metrics"]["accuracy"] == max(job["metrics"]["accuracy"] for job in jobs.values())
    assert best["metrics"]["accuracy"] > 0.85
    assert (found["metric"], found["direction"], found["status"]) == ("accuracy", "max", "complete")
    assert found["search"]["study"] == found["sweep_id"]
    assert f"as one job  python {shlex.quote(str(starting.ROOT / 'run.py'))} " in said
    assert f"mode.momentum={best['overrides']['mode.momentum']}" in said
    assert "Trial" not in said
    assert "nothing to do" in said_again
    assert same == found
    assert states(tmp_path) == ["COMPLETE"] * 15
    assert len(begun(tmp_path)) == len({run_id for _, run_id in begun(tmp_path)})


def test_a_killed_search_goes_on(tmp_path: Path) -> None:
    """After kill -9 and Ctrl-C no trial stays open or runs twice, and the choice is the same."""
    words = (MOMENTUM, "sweep.search.trials=3", "sweep.search.pruner=none")
    tell(tmp_path, "wait")
    search = starting.start(tmp_path, *BASE, *words)
    wait_until(lambda: bool(begun(tmp_path)), "the first job")
    os.kill(search.pid, signal.SIGKILL)
    search.communicate(timeout=LONGEST_S)
    os.kill(begun(tmp_path)[0][0], signal.SIGKILL)
    wait_until(lambda: not starting.is_alive(begun(tmp_path)[0][0]), "the end of its job")
    search = starting.start(tmp_path, *BASE, *words)
    wait_until(lambda: len(begun(tmp_path)) == 2, "the job again")
    search.send_signal(signal.SIGINT)
    search.communicate(timeout=LONGEST_S)
    interrupted = (search.returncode, [job["status"] for job in record(tmp_path)["jobs"]])
    (tmp_path / "acts" / "wait").unlink()

    code, _ = run(tmp_path, *words)

    assert interrupted == (130, ["interrupted"])
    assert code == 0
    assert states(tmp_path) == ["COMPLETE"] * 3
    assert len({run_id for _, run_id in begun(tmp_path)[:3]}) == 1
    assert len({run_id for _, run_id in begun(tmp_path)}) == 3
    undisturbed = tmp_path / "undisturbed"
    undisturbed.mkdir()
    run(undisturbed, *words)
    assert [t.params for t in trials(undisturbed)] == [t.params for t in trials(tmp_path)]


def test_a_run_that_an_earlier_start_left_behind_is_waited_for(tmp_path: Path) -> None:
    """Its trial ends as it does, and it is started no second time."""
    words = (MOMENTUM, "sweep.search.trials=1")
    tell(tmp_path, "wait")
    search = starting.start(tmp_path, *BASE, *words)
    wait_until(lambda: bool(begun(tmp_path)), "the first job")
    os.kill(search.pid, signal.SIGKILL)
    search.communicate(timeout=LONGEST_S)
    said = tmp_path / "said.txt"

    again = starting.start(tmp_path, *BASE, *words, said=said)
    wait_until(lambda: "not started twice" in said.read_text(), "the orphan is found")
    tell(tmp_path, "go")

    assert again.wait(timeout=LONGEST_S) == 0
    assert len(begun(tmp_path)) == 1
    assert states(tmp_path) == ["COMPLETE"]


def test_a_bad_trial_is_pruned(tmp_path: Path) -> None:
    """Its epochs are read while it runs; it ends early, and that is no failure."""
    tell(tmp_path, "wait-if-bad")
    pruner = "{_target_: optuna.pruners.ThresholdPruner, lower: 0.5}"

    code, said = run(
        tmp_path,
        "mode.momentum=0.7,0.1",
        "sweep.search.sampler=brute_force",
        f"sweep.search.pruner={pruner}",
        "sweep.search.trials=2",
    )

    jobs = {job["overrides"]["mode.momentum"]: job for job in record(tmp_path)["jobs"]}
    assert code == 0, said
    assert (jobs["0.7"]["status"], jobs["0.1"]["status"]) == ("complete", "pruned")
    assert jobs["0.1"]["exit_code"] == 143
    assert record(tmp_path)["status"] == "complete"
    found = {trial.params["mode.momentum"]: trial for trial in trials(tmp_path)}
    assert found[0.1].state.name == "PRUNED"
    assert sorted(found[0.1].intermediate_values) == [1, 2]
    assert sorted(found[0.7].intermediate_values) == [1, 2, 3, 4]


def test_a_failing_trial_hides_no_other(tmp_path: Path) -> None:
    """It is told to Optuna, counts as a trial, and makes the exit code 1, also the second time."""
    words = ("mode.batch_size=13,16", "sweep.search.sampler=brute_force", "sweep.search.trials=2")

    first, said = run(tmp_path, *words)
    second, _ = run(tmp_path, *words)

    assert (first, second) == (1, 1)
    assert sorted(states(tmp_path)) == ["COMPLETE", "FAIL"]
    assert "KeyError: 'nobody' (stage learn)" in said
    assert "the rest" not in said
    assert len(begun(tmp_path)) == 2


def test_what_is_known_is_not_run(tmp_path: Path) -> None:
    """A trial whose run is complete already is told from its record; a sampler may end a search."""
    sampler = "{_target_: optuna.samplers.GridSampler, search_space: {mode.batch_size: [16]}}"
    alone = starting.command(tmp_path, *BASE, "mode.batch_size=16")
    (tmp_path / "acts").mkdir()
    environment = {**os.environ, starting.FOLDER: str(tmp_path / "acts")}
    subprocess.run(
        [word for word in alone if word != "-m"],
        cwd=tmp_path,
        env=environment,
        check=True,
        capture_output=True,
    )

    code, said = run(
        tmp_path,
        "mode.batch_size=16,32",
        f"sweep.search.sampler={sampler}",
        "sweep.search.trials=2",
    )

    assert code == 0, said
    assert "was complete already" in said
    assert len(begun(tmp_path)) == 1
    # The grid has no second one.
    assert states(tmp_path) == ["COMPLETE"]


def test_values_that_make_no_job_are_a_failed_trial(tmp_path: Path) -> None:
    """Each is fine with the first of the others; together they are told, and the search goes on."""
    stopping = "{metric: accuracy, patience: 2}"

    code, said = run(
        tmp_path,
        "sweep.search.space={mode.evaluate_every: [1, 0], mode.early_stopping: [null, "
        f"{stopping}]}}",
        "sweep.search.sampler=brute_force",
        "sweep.search.pruner=none",
    )

    assert code == 1, said
    assert sorted(states(tmp_path)) == ["COMPLETE"] * 3 + ["FAIL"]
    assert "early_stopping" in next(
        job["error"]["message"] for job in record(tmp_path)["jobs"] if job["status"] == "failed"
    )


def test_the_same_values_at_the_same_time_run_once(tmp_path: Path) -> None:
    """The second trial ends as the first does."""
    words = ("sweep.search.space={mode.batch_size: [16]}", "sweep.search.trials=3", "sweep.jobs=2")

    code, said = run(tmp_path, *words, "sweep.search.prune_on=test_accuracy")

    assert code == 0, said
    assert said.count("no column 'test_accuracy', so no trial is pruned") == 1
    assert len(begun(tmp_path)) == 1
    assert states(tmp_path) == ["COMPLETE"] * 3
    assert [job["status"] for job in record(tmp_path)["jobs"]] == ["complete"] * 3


def test_a_metric_that_nothing_measures(tmp_path: Path) -> None:
    """After the first trial that is said, and no more are tried."""
    code, said = run(tmp_path, MOMENTUM, "sweep.search.metric=f1", "sweep.search.trials=3")

    assert code == 1
    assert "measured no 'f1', which trials are judged by, but accuracy" in said
    assert states(tmp_path) == ["FAIL"]


def test_optuna_is_missing(tmp_path: Path) -> None:
    """It is said with what to do, before anything is written."""
    script = (
        "import importlib.util as u, sys; found = u.find_spec; "
        "u.find_spec = lambda name, *rest: None if name == 'optuna' else found(name, *rest); "
        f"sys.argv[0] = 'run.py'; from pipeline.bootstrap import start; "
        f"sys.exit(start(['-m', '{MOMENTUM}', 'cluster.output_dir={tmp_path}/out'], "
        f"{str(starting.ROOT / 'run.py')!r}))"
    )

    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=starting.ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert "pip install optuna" in done.stderr
    assert list(tmp_path.iterdir()) == []
