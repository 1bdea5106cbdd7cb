"""The command `repeat`, as it is typed; jobs that need no MindSpore."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path

import pytest
import yaml

from pipeline import cli
from pipeline.errors import DONE, FAILED, WRONG_JOB

ROOT = Path(__file__).resolve().parent.parent.parent

# A stage of the user's own that measures how often it has worked.
STAGE = """
from pathlib import Path
from pipeline.stage import Outlook, stage

def look(context):
    return Outlook("would count")

@stage(look=look)
def vary(context):
    path = Path(__file__).with_name("count.txt")
    count = len(path.read_text()) + 1 if path.exists() else 1
    path.write_text("x" * count)
    context.measured({"accuracy": count / 100})
"""


def start(folder: Path, *words: str, stage: str = "tests.running.make") -> int:
    """The exit code of a small job in this folder."""
    places = [f"cluster.{name}_dir={folder}/{name}" for name in ("output", "data")]
    export = f"cluster.export_url={folder}/exports"
    stages = f"mode.stages=[fetch,extract,{stage},export]"
    return cli.main([*places, export, stages, *words], ROOT)


def repeat(folder: Path, *words: str) -> int:
    """The exit code of the command over the runs in this folder."""
    return cli.main(["repeat", f"cluster.output_dir={folder}/output", *words], ROOT)


@pytest.fixture
def own_stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a stage whose result is another each time."""
    monkeypatch.syspath_prepend(str(tmp_path))
    name = f"repeat_stage_{abs(hash(str(tmp_path)))}"
    (tmp_path / f"{name}.py").write_text(STAGE, encoding="utf-8")
    yield f"{name}.vary"
    sys.modules.pop(name, None)


def test_a_run_that_comes_out_the_same_ends_with_0(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Under an id of its own, beside the first, exported beside it too."""
    assert start(tmp_path, "run.id=first") == DONE
    capsys.readouterr()

    code = repeat(tmp_path, "first")

    said = capsys.readouterr().out
    assert code == DONE
    assert "nothing is known to be other than then" in said
    assert re.search(r"^  input data +same$", said, re.MULTILINE)
    assert re.search(r"^  metric accuracy +same +0.5$", said, re.MULTILINE)
    assert said.splitlines()[-1].startswith("the same:")
    assert (tmp_path / "exports" / "first.repeat-1" / "manifest.json").is_file()
    left = {path.name for path in (tmp_path / "output").iterdir() if path.suffix != ".lock"}
    assert left == {"first", "first.repeat-1"}


def test_what_differs_is_named_and_ends_with_1(
    tmp_path: Path, own_stage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """With both values; and the command that shows more of both runs."""
    assert start(tmp_path, "run.id=first", stage=own_stage) == DONE
    capsys.readouterr()

    code = repeat(tmp_path, "first")

    said = capsys.readouterr().out
    assert code == FAILED
    assert re.search(r"^  metric accuracy +differs +0.01, then 0.02$", said, re.MULTILINE)
    assert re.search(r"why +nothing is known to be other than then", said)
    assert f"runs {tmp_path}/output/first {tmp_path}/output/first.repeat-1" in said


def test_changed_code_is_told_before_anything_runs(
    tmp_path: Path, own_stage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is not checked out; the first thing said names it."""
    assert start(tmp_path, "run.id=first", stage=own_stage) == DONE
    path = tmp_path / f"{own_stage.partition('.')[0]}.py"
    path.write_text(STAGE.replace("/ 100", "/ 200"), encoding="utf-8")
    capsys.readouterr()

    code = repeat(tmp_path, "first")

    said = capsys.readouterr().out
    assert code == FAILED
    assert re.search(rf"^  code of {own_stage} +\w{{12}} +\w{{12}} +anything", said, re.MULTILINE)
    assert said.index("code of") < said.index("complete")


def test_each_repeat_has_a_number(tmp_path: Path) -> None:
    """One that was not finished is gone on with, by the very same command."""
    start(tmp_path, "run.id=first")
    repeat(tmp_path, "first")
    path = tmp_path / "output" / "first.repeat-1" / "manifest.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**record, "status": "interrupted"}), encoding="utf-8")

    second = repeat(tmp_path, "first")
    third = repeat(tmp_path, "first")

    assert (second, third) == (DONE, DONE)
    assert json.loads(path.read_text(encoding="utf-8"))["status"] == "complete"
    assert (tmp_path / "output" / "first.repeat-2").is_dir()
    assert not (tmp_path / "output" / "first.repeat-3").exists()


def test_a_repeat_goes_where_it_is_told(tmp_path: Path) -> None:
    """From an export, too, where nothing of the run lies in an output folder."""
    start(tmp_path, "run.id=first")

    code = repeat(
        tmp_path,
        f"{tmp_path}/exports/first",
        "run.id=second",
        f"cluster.output_dir={tmp_path}/other",
        f"cluster.export_url={tmp_path}/others",
    )

    assert code == DONE
    record = json.loads((tmp_path / "other" / "second" / "manifest.json").read_text())
    assert record["export_url"] == f"{tmp_path}/others"
    words = record["command"].split()
    assert words[2:4] == ["repeat", f"{tmp_path}/exports/first"]
    assert {"run.id=second", f"cluster.export_url={tmp_path}/others"} <= set(words)


def test_a_relative_place_counts_from_where_one_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it does for a job."""
    start(tmp_path, "run.id=first")
    monkeypatch.chdir(tmp_path)

    code = cli.main(["repeat", "output/first", "cluster.output_dir=there"], ROOT)

    assert code == DONE
    assert (tmp_path / "there" / "first.repeat-1" / "manifest.json").is_file()


def test_a_repeat_that_fails_compares_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], own_stage: str
) -> None:
    """Its own summary says why."""
    start(tmp_path, "run.id=first", stage=own_stage)
    path = tmp_path / f"{own_stage.partition('.')[0]}.py"
    path.write_text(STAGE.replace("count / 100", "count / 0"), encoding="utf-8")
    sys.modules.pop(own_stage.partition(".")[0])

    code = repeat(tmp_path, "first")

    said = capsys.readouterr().err
    assert code == FAILED
    assert "ZeroDivisionError" in said
    assert "nothing is compared" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "write repeat RUN"),
        (("first", "second"), "expected one run"),
        (("nothing",), "nothing: there is no such run"),
        (("first", "mode.epochs=3"), "mode.epochs: a repeat takes the job as it was"),
        (("first", "--form=x"), "did you mean '--from'"),
        (("first", "--from"), "--from: needs a value"),
        (("first", "run.id=a/b"), "expected the name of a folder"),
        (("failed",), "this run is failed; only a complete one"),
        (("jobless",), "config.yaml cannot be read"),
        (("damaged",), "its record is needed"),
    ],
)
def test_what_cannot_be_repeated_ends_with_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    """And runs nothing."""
    start(tmp_path, "run.id=first")
    output = tmp_path / "output"
    for name in ("failed", "jobless", "damaged"):
        shutil.copytree(output / "first", output / name)
    (output / "jobless" / "config.yaml").unlink()
    (output / "damaged" / "manifest.json").write_text("{", encoding="utf-8")
    path = output / "failed" / "manifest.json"
    path.write_text(path.read_text().replace('"complete"', '"failed"', 1), encoding="utf-8")
    before = sorted(path.name for path in output.iterdir())

    code = repeat(tmp_path, *words)

    assert code == WRONG_JOB
    assert said in capsys.readouterr().err
    assert sorted(path.name for path in output.iterdir()) == before


def test_a_secret_comes_from_the_environment_of_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is recorded nowhere; where nothing fits, its key is named and nothing runs."""
    start(tmp_path, "run.id=first")
    path = tmp_path / "output" / "first" / "config.yaml"
    config = yaml.safe_load(path.read_text(encoding="utf-8"))
    config["platform"] = {"where": "https://host/a?***"}
    path.write_text(yaml.safe_dump(config), encoding="utf-8")

    without = repeat(tmp_path, "first")
    said = capsys.readouterr().err
    monkeypatch.setenv("SOME_URL", "https://host/a?key=word-for-tests")
    with_it = repeat(tmp_path, "first")

    everything = "".join(
        path.read_text(encoding="utf-8", errors="replace")
        for path in (tmp_path / "output").rglob("*")
        # What is not committed of this project may hold the word, too.
        if path.is_file() and path.suffix != ".diff"
    )
    assert without == WRONG_JOB
    assert "platform.where: https://host/a?***: what stood for ***" in said
    assert with_it == DONE
    assert "word-for-tests" not in everything
