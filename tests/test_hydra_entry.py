"""Hydra's own information flags, through our entry, leaving nothing behind."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import yaml

from pipeline.commands import hydra_entry
from pipeline.errors import ConfigError
from tests.jobs import ROOT, read

pytestmark = pytest.mark.usefixtures("quick_jobs")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to stand in; what Hydra changes in the process is put back."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["run.py"])
    monkeypatch.setenv("HYDRA_FULL_ERROR", "0")
    return tmp_path


def answer(*argv: str) -> int:
    """The exit code of what the command line asks to see."""
    return hydra_entry.answer(read(*argv), root=ROOT, current_folder=Path.cwd())


@pytest.mark.parametrize(
    ("argv", "word"),
    [
        (["--help"], "lenet5"),
        (["-h", "mode=infer", "mode.checkpoint=中文 'x'"], "name: infer"),
        (["--help", "--mode=infer", "--unknown=3"], "name: infer"),
        (["--help", "mode.epochs=x"], "epochs: x"),
        (["--cfg", "job"], "lenet5"),
        (["--cfg", "hydra"], "launcher"),
        (["--info"], "Hydra"),
        (["--info", "defaults"], "Defaults"),
        (["--version"], "Hydra"),
        (["--hydra-help"], "Hydra"),
        (["--shell-completion", "install=bash"], "hydra_bash_completion"),
    ],
)
def test_a_flag_is_answered(
    argv: list[str], word: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It prints what was asked for, exits 0 and leaves no file."""
    code = answer(*argv)

    assert code == 0
    assert word in capsys.readouterr().out
    assert list(here.iterdir()) == []


def test_the_composed_job_can_be_read_back(capsys: pytest.CaptureFixture[str]) -> None:
    """--cfg job prints YAML of what would run, in part with --package, without credentials."""
    answer("--cfg", "job", "--package", "mode", "mode.checkpoint=s3://b/x?token=hidden")

    printed = yaml.safe_load(capsys.readouterr().out)
    assert printed["checkpoint"] == "s3://b/x?***"
    assert printed["stages"][0] == "fetch"


@pytest.mark.parametrize(
    ("argv", "word"),
    [
        (["--help", "mode=trian"], "did you mean 'train'"),
        (["--help", "--config-dir=nowhere"], "no folder"),
        (["--help", "mode.nothing=3"], "mode.nothing"),
        (["--resolve"], "--resolve"),
        (["--cfg", "job", "mode.epochs=0"], "expected at least 1"),
        (["--cfg", "job", "--package", "modle"], "did you mean 'mode' or 'model'"),
    ],
)
def test_a_mistake_beside_a_flag(argv: list[str], word: str, here: Path) -> None:
    """It is told like every mistake, without a traceback and without Hydra's hints."""
    with pytest.raises(ConfigError) as raised:
        answer(*argv)

    assert word in str(raised.value)
    assert "HYDRA_FULL_ERROR" not in str(raised.value)
    assert list(here.iterdir()) == []


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("python run.py mod", {"mode=", "model="}),
        ("python run.py mode=in", {"mode=infer"}),
        ("python run.py plan --epochs=3 mode=in", {"mode=infer"}),
        ("python run.py mode=infer mode.che", {"mode.checkpoint="}),
    ],
)
def test_completion(
    line: str,
    words: set[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The shell's question is answered also where commands and flags stand on the line."""
    monkeypatch.setenv("COMP_LINE", line)
    monkeypatch.setenv("COMP_POINT", str(len(line)))

    answer("-sc", "query=bash")

    assert words <= set(capsys.readouterr().out.split())
