"""A static check of the recipes that come with MindRun."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline import cli
from tests.jobs import ROOT

pytestmark = pytest.mark.usefixtures("quick_jobs")

RECIPES = sorted(path.stem for path in (ROOT / "conf" / "experiment").glob("*.yaml"))


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_can_be_planned(
    recipe: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`plan` tells every stage, given the weights that some start from; nothing is written."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["run.py"])
    weights = tmp_path / "lenet.ckpt"
    weights.write_bytes(b"weights")
    places = [f"cluster.{name}_dir={tmp_path / name}" for name in ("data", "output")]

    code = cli.main(["plan", f"experiment={recipe}", f"mode.checkpoint={weights}", *places], ROOT)

    said = capsys.readouterr().out
    assert code == 0
    assert said.count(" would ") >= 3
    assert [path.name for path in tmp_path.iterdir()] == [weights.name]
