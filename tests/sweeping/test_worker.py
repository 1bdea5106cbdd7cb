"""A job handed to a machine of a cluster: what that machine looks at, hears and says."""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.commands.sweeping.engines import errands, worker
from pipeline.commands.sweeping.engines.protocol import Order
from pipeline.errors import ConfigError


def order(folder: Path, *shared: Path) -> Order:
    """A job whose file holds none."""
    file = folder / "jobs" / "a.json"
    file.parent.mkdir(exist_ok=True)
    file.write_text("{}", encoding="utf-8")
    return Order("a", folder / "a", file, file.with_suffix(".log"), shared=shared)


def test_its_process_says_why_it_fails(tmp_path: Path) -> None:
    """The worker gives the exit code of the job's own process, whose words are in the log."""
    given = order(tmp_path)

    assert worker.run(errands.Handed(given).errand, {}) == (2, "")
    assert "is no job that can be run" in given.log.read_text(encoding="utf-8")


def test_what_is_not_shared_is_named(tmp_path: Path) -> None:
    """A machine says which path it lacks, and starts nothing; what a job makes may be missing."""
    handed = errands.Handed(order(tmp_path, tmp_path / "data_dir" / "deep"))
    elsewhere = replace(handed.errand, shared=(str(tmp_path), "/elsewhere/项目 a"))

    assert worker.unshared(handed.errand) == ""
    code, words = worker.run(elsewhere, {})
    assert code == worker.NOT_STARTED
    assert "does not see /elsewhere/项目 a; the folder of run.py" in words
    assert not Path(handed.errand.log).exists()


def test_another_python_is_refused(tmp_path: Path) -> None:
    """Where the environment is not shared, the machine's own Python must be of the same version."""
    errand = replace(errands.Handed(order(tmp_path)).errand, python="/elsewhere/python")

    assert worker.unshared(errand) == ""
    assert "does not see /elsewhere/python" in worker.unshared(replace(errand, version=(3, 1)))


def test_a_job_that_is_asked_before_it_begins(tmp_path: Path) -> None:
    """It never does."""
    handed = errands.Handed(order(tmp_path))
    handed.ask(signal.SIGTERM)

    assert worker.run(handed.errand, {}) == (143, "")
    assert not Path(handed.errand.log).exists()


def test_an_older_handing_over_does_nothing(tmp_path: Path) -> None:
    """What an earlier start of a sweep has left in a queue runs nothing, and asks for nothing."""
    older, newer = errands.Handed(order(tmp_path)), errands.Handed(order(tmp_path))
    older.ask(signal.SIGTERM)

    code, words = worker.run(older.errand, {})

    assert code == worker.NOT_STARTED
    assert "was started again" in words
    assert worker.asking_of(newer.errand.asking)[1] == []


def test_signals_are_as_before(tmp_path: Path) -> None:
    """The process that ran a worker hears what it heard, and no variable of it was changed."""
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR2)
    before, variables = [signal.getsignal(number) for number in numbers], dict(os.environ)

    worker.run(errands.Handed(order(tmp_path)).errand, {"A": "b"}, {"C": "d"})

    assert [signal.getsignal(number) for number in numbers] == before
    assert dict(os.environ) == variables


@pytest.mark.parametrize(("engine", "package"), [("ray", "ray"), ("slurm", "submitit")])
def test_a_missing_package_is_a_mistake(
    monkeypatch: pytest.MonkeyPatch, engine: str, package: str
) -> None:
    """It says which extra brings it."""
    monkeypatch.setitem(sys.modules, package, None)

    with pytest.raises(ConfigError, match=rf"needs {package}.*pip install {package}"):
        errands.require_package(engine)
    errands.require_package("local")
