"""`runs show RUN --report`: the page of a run that has none yet, or a copy of it elsewhere."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.commands import runs
from pipeline.commands.runs import finding, reporting
from pipeline.errors import ConfigError
from tests.report.folders import RUN_ID, leave_training
from tests.runs.leaving import leave_run

ROOT = Path(__file__).resolve().parents[2]


def show(folder: Path, *words: str) -> int:
    """The command, with runs in this folder."""
    return runs.main(["runs", f"cluster.output_dir={folder}", *words], ROOT)


def test_an_older_run_gets_its_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is made in the run's folder, and its path is all that is said."""
    folder = leave_training(tmp_path)

    code = show(tmp_path, "show", RUN_ID, "--report")

    path = folder / "report.html"
    assert (code, capsys.readouterr().out) == (0, f"{path}\n")
    assert "Learning curves" in path.read_text(encoding="utf-8")


def test_a_page_that_is_there_is_left_as_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The record of the run vouches for it."""
    path = leave_training(tmp_path) / "report.html"
    path.write_text("its own")

    show(tmp_path, "show", RUN_ID, "--report")

    assert path.read_text() == "its own"
    assert capsys.readouterr().out == f"{path}\n"


@pytest.mark.parametrize("name", ["config.yaml", "a folder"])
def test_no_other_file_is_lost_to_a_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A slip of the pen costs neither a file nor a folder; an older page is made anew."""
    leave_training(tmp_path / "outputs")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.yaml").write_text("seed: 1\n")
    (tmp_path / "a folder").mkdir()
    (tmp_path / "page.html").write_text("<!DOCTYPE html><p>of yesterday")

    with pytest.raises(ConfigError, match=r"--report: .*is (there and is no page|a folder)"):
        show(tmp_path / "outputs", "show", RUN_ID, f"--report={name}")
    show(tmp_path / "outputs", "show", RUN_ID, "--report=page.html")

    assert (tmp_path / "config.yaml").read_text() == "seed: 1\n"
    assert "Learning curves" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_a_page_can_be_had_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the named file, counted from where one stands; the run's folder stays as it was."""
    folder, elsewhere = leave_training(tmp_path / "outputs"), tmp_path / "报告 1"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)

    show(tmp_path / "outputs", "show", RUN_ID, "--report=a page.html")

    assert (elsewhere / "a page.html").is_file()
    assert not (folder / "report.html").exists()
    assert capsys.readouterr().out == f"{elsewhere / 'a page.html'}\n"


def test_an_exported_run_has_its_page_made_here(tmp_path: Path) -> None:
    """Its files are read where they are; without a file to write to it says so."""
    url = leave_training(tmp_path / "exports").as_uri()

    assert show(tmp_path, "show", url, f"--report={tmp_path}/x.html") == 0
    assert "Learning curves" in (tmp_path / "x.html").read_text(encoding="utf-8")
    at_a_store = replace(finding.in_folders([tmp_path / "exports"])[0], place="obs://bucket/run")
    with pytest.raises(ConfigError, match="--report=FILE"):
        reporting.page_of(at_a_store, "")


def test_an_interrupted_run_is_shown_as_that(tmp_path: Path) -> None:
    """A record that still says running, without anybody at work, is of an interrupted run."""
    folder = leave_run(tmp_path, "killed", status="running", finished=None)

    show(tmp_path, "show", "killed", "--report")

    text = (folder / "report.html").read_text(encoding="utf-8")
    assert 'class="badge interrupted"' in text


@pytest.mark.parametrize("words", [["--report"], ["show", "a", "--report", "--json"]])
def test_a_report_is_of_one_run(tmp_path: Path, words: list[str]) -> None:
    """A list of runs has none, and a program takes the JSON."""
    with pytest.raises(ConfigError, match="is of one run"):
        show(tmp_path, *words)


def test_a_damaged_run_has_no_page(tmp_path: Path) -> None:
    """Nothing is known of it; the message says why."""
    folder = leave_run(tmp_path, "broken")
    (folder / "manifest.json").write_text("{")

    with pytest.raises(ConfigError, match="cannot be read"):
        show(tmp_path, "show", "broken", "--report")
