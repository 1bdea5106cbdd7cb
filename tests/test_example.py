"""The example project: each step of its tutorial, with nothing of MindRun's changed for it."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.running import files_below
from tests.test_jobs import environment, manifest_of

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "examples" / "byo"
LEFT_BEHIND = ("data", "outputs", "exports", "__pycache__")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of it, in a folder with a blank and Chinese in its name."""
    place = tmp_path_factory.mktemp("somebody") / "my 项目"
    shutil.copytree(EXAMPLE, place, ignore=shutil.ignore_patterns(*LEFT_BEHIND))
    return place


def commands_in(page: Path) -> list[list[str]]:
    """The arguments of every command that the page prints."""
    lines = re.findall(r"^python run\.py (.*)$", page.read_text(encoding="utf-8"), re.M)
    return [shlex.split(line, comments=True) for line in lines]


def start(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The project's run.py over the MindRun of this clone, from another folder."""
    return subprocess.run(
        [sys.executable, str(project / "run.py"), *arguments],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        cwd=project.parent,
        env=environment(PYTHONPATH=str(ROOT)),
    )


@pytest.mark.slow
@pytest.mark.mindspore
def test_every_step_of_the_tutorial_runs(project: Path) -> None:
    """The script as it is, the loader and network, then the stage: each ends well and measures."""
    printed = commands_in(EXAMPLE / "README.md")

    ended = [start(project, *arguments) for arguments in printed]

    assert [done.returncode for done in ended] == [0] * 4, [done.stderr for done in ended]
    runs = {path.parent.name: manifest_of(path.parent) for path in project.glob("exports/*/*.json")}
    assert {name.rpartition("-")[0] for name in runs} == {
        "script-lenet5-iris",
        "train-petals-iris",
        "flowers-petals-iris",
    }
    for name, manifest in runs.items():
        assert manifest["status"] == "complete"
        assert name.startswith("script") or manifest["metrics"]["accuracy"] >= 0.9
    script = next(name for name in runs if name.startswith("script"))
    assert "accuracy 0.9" in (project / "outputs" / script / "run.log").read_text()
    flowers = next(name for name in runs if name.startswith("flowers"))
    exported = files_below(project / "exports" / flowers)
    assert b"131 parameters" in exported["card.md"]
    assert "output/petals.ckpt" in files_below(project / "exports" / script)
