"""The command `runs`, as it is typed."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from pipeline import cli
from pipeline.errors import WRONG_JOB
from tests.runs.leaving import CONFIG, leave_run

ROOT = Path(__file__).resolve().parent.parent.parent


def run(folder: Path, *words: str) -> int:
    """The exit code of the command over the runs in this folder."""
    return cli.main(["runs", f"cluster.output_dir={folder}", *words], ROOT)


def test_the_list_has_a_line_for_each_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Id, status, metric, time, seconds, cluster, dataset, model, export; uncut in a pipe."""
    leave_run(tmp_path, "train-lenet5-digits-12345678")
    leave_run(tmp_path, "r" * 120, status="failed", metrics={}, finished="2026-01-01T00:00:00Z")

    code = run(tmp_path)

    heads, first, second = capsys.readouterr().out.splitlines()
    assert code == 0
    names = ["when", "seconds", "cluster", "dataset", "model", "exported"]
    assert heads.split() == ["run", "status", "accuracy", *names]
    assert first.split()[:3] == ["train-lenet5-digits-12345678", "complete", "0.9000"]
    assert first.endswith("3.0  local    digits   lenet5  /exports/train-lenet5-digits-12345678")
    assert second.startswith(f"{'r' * 120}  failed")


def test_each_metric_has_its_name_where_runs_were_measured_differently(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Accuracy says most, then loss, then whatever else there is."""
    leave_run(tmp_path, "a", metrics={"loss": 0.5, "accuracy": 0.75})
    leave_run(tmp_path, "b", metrics={"rank": 3.0, "loss": 0.5})
    leave_run(tmp_path, "c", metrics={"rank": 3.0})

    run(tmp_path)

    said = capsys.readouterr().out
    for line in ("a +complete +accuracy 0.7500", "b +complete +loss 0.5000", "c +complete +rank 3"):
        assert re.search(f"^{line}", said, re.MULTILINE)


def test_put_aside_runs_are_counted_and_shown_on_request(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody misses them without knowing."""
    leave_run(tmp_path, "a")
    leave_run(tmp_path, "a", folder="a.old-1")

    run(tmp_path)
    short = capsys.readouterr()
    run(tmp_path, "--all")
    long = capsys.readouterr()

    assert "a.old-1" not in short.out
    assert "1 run put aside" in short.err
    assert "a.old-1" in long.out
    assert long.err == ""


def test_a_damaged_run_is_listed_with_its_path(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The list is whole, and what is wrong stands below."""
    leave_run(tmp_path, "good")
    leave_run(tmp_path, "bad")
    (tmp_path / "bad" / "manifest.json").write_text("{", encoding="utf-8")

    code = run(tmp_path)

    said = capsys.readouterr()
    assert code == 0
    assert re.search(r"^bad +unreadable", said.out, re.MULTILINE)
    assert f"{tmp_path}/bad: manifest.json cannot be read" in said.err


def test_a_list_for_programs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--json is one JSON document and nothing else, Chinese names included."""
    leave_run(tmp_path, "数据-1", job={"mode": "train", "model": "网络", "dataset": "digits"})

    run(tmp_path, "--json", "model=网*")

    said = capsys.readouterr()
    (found,) = json.loads(said.out)
    assert said.err == ""
    assert (found["id"], found["model"], found["seconds"]) == ("数据-1", "网络", 3.0)
    assert found["place"] == str(tmp_path / "数据-1")


def test_no_run_at_all_says_how_to_get_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An empty place is no mistake."""
    assert run(tmp_path / "none") == 0
    assert "no run is there yet; python run.py starts one" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("statsu=failed",), "did you mean 'status'"),
        (("--jsn",), "did you mean '--json'"),
        (("show",), "write runs show RUN"),
        (("show", "a", "b"), "expected one run to show"),
        (("a",), "write runs show a, or a second run"),
        (("--from",), "--from: needs a value"),
        (("show", "nothing"), "nothing: there is no such run"),
        (("nothing", "none"), "none: there is no such run"),
        (("cluster.output=x",), "cluster.output"),
    ],
)
def test_wrong_words_end_with_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    """And say what to write."""
    leave_run(tmp_path, "b")

    code = run(tmp_path, *words)

    assert code == WRONG_JOB
    assert said in capsys.readouterr().err


def test_one_run_is_shown_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Stages with seconds and reasons, metrics, files summed, inputs, error, commands."""
    failure = {"type": "KeyError", "message": "'a'", "stage": "train"}
    leave_run(tmp_path, "train-a", status="failed", error=failure)

    code = run(tmp_path, "show", "train")

    said = capsys.readouterr().out
    assert code == 0
    for line in (
        r"train-a  failed",
        r"what +train, lenet5, digits",
        r"where +cluster local, CPU, MindSpore 2\.10\.0, Python 3\.11\.7, on a",
        r"input +digits\.zip, 46\.3 kB, sha256 ffffffffffff",
        r"accuracy +0\.9",
        r"fetch +skipped +0\.0  already here",
        r"train +done +2\.5  epochs 3",
        r"made +1 file, 2\.0 kB, 1 checkpoint among them",
        r"error +KeyError: 'a' \(stage train\)",
        r"resume +python run\.py mode\.epochs=3",
        rf"repeat +python run\.py repeat {tmp_path}/train-a",
    ):
        assert re.search(rf"^{line}$", said, re.MULTILINE), line


def test_a_shown_run_for_programs_holds_its_manifest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Everything that the file says, and what was concluded beside it."""
    leave_run(tmp_path, "a", status="running", finished=None)

    run(tmp_path, "show", "a", "--json")

    found = json.loads(capsys.readouterr().out)
    assert (found["status"], found["manifest"]["status"]) == ("interrupted", "running")


def test_runs_are_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Only what differs, metrics with the best marked, curves over each other."""
    other = {**CONFIG, "mode": {"name": "train", "epochs": 5, "export_formats": []}}
    leave_run(tmp_path, "one")
    leave_run(
        tmp_path,
        "two",
        config=other,
        losses=(1.0, 0.9, 0.8, 0.7, 0.6),
        metrics={"accuracy": 0.95, "loss": 0.5},
        environment={"python": "3.9.1", "mindspore": "2.10.0", "device": "CPU", "host": "b"},
    )

    code = run(tmp_path, "one", "two")

    said = capsys.readouterr().out
    rows = [line.split() for line in said.splitlines()]
    assert code == 0
    assert ["mode.epochs", "3", "5"] in rows
    assert ["accuracy", "0.9", "0.95", "*"] in rows
    assert ["loss", "0.25", "*", "0.5"] in rows
    assert ["python", "3.11.7", "3.9.1"] in rows
    assert "seed" not in said
    assert "loss on the training batches by epoch" in said
    assert re.search(r"^ +2 A", said, re.MULTILINE)


def test_a_comparison_for_programs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same as one document, with values as they are."""
    leave_run(tmp_path, "one")
    leave_run(tmp_path, "two", config={**CONFIG, "seed": 2}, losses=())

    run(tmp_path, "two", "one", "--json")

    found = json.loads(capsys.readouterr().out)
    assert [each["id"] for each in found["runs"]] == ["two", "one"]
    assert found["configuration"] == {"seed": [2, 1]}
    assert found["metrics"]["accuracy"] == {"values": [0.9, 0.9], "best": []}
    assert found["curves"] == {"loss": [[], [[1.0, 2.0], [2.0, 1.0], [3.0, 0.5]]]}


def test_equal_runs_say_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing differs is an answer, too."""
    leave_run(tmp_path, "one", metrics={})
    leave_run(tmp_path, "two", metrics={})

    run(tmp_path, "one", "two")

    said = capsys.readouterr().out
    assert "configuration: no difference" in said
    assert "surroundings: no difference" in said
    assert "metrics: none was measured" in said


def test_runs_come_from_an_exported_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where no process works, so that what says running is believed."""
    leave_run(tmp_path / "exports", "a", status="running", finished=None)

    code = cli.main(["runs", "--from", str(tmp_path / "exports")], ROOT)

    assert code == 0
    assert re.search(r"^a +running", capsys.readouterr().out, re.MULTILINE)


def test_a_mistake_that_concerns_every_name_is_told_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It lies in the configuration, not in the names."""
    code = run(tmp_path, "cluster.output_dri=x", "a", "b")

    assert code == WRONG_JOB
    assert capsys.readouterr().err.count("output_dri: there is no such key") == 1
