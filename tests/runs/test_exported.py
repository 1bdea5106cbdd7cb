"""Runs in an exported place: a bucket on the loopback, a web server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline import cli
from pipeline.commands.runs import exported
from pipeline.errors import DONE, FAILED, WRONG_JOB
from pipeline.storage import open_storage
from pipeline.transfer import Limits
from tests.bucket_server import Bucket, serving_bucket
from tests.runs.leaving import leave_run
from tests.servers import WebServer, closed_port, serving

ROOT = Path(__file__).resolve().parent.parent.parent
pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")


@pytest.fixture
def bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    """A bucket with two runs, one damaged one, and files of others."""
    for name in ("train-a", "train-b", "damaged"):
        leave_run(tmp_path, name, metrics={"accuracy": 0.5 + len(name) / 100})
    (tmp_path / "damaged" / "manifest.json").write_text("{", encoding="utf-8")
    (tmp_path / "notes.txt").write_text("", encoding="utf-8")
    with serving_bucket() as found:
        for name, value in found.variables.items():
            monkeypatch.setenv(name, value)
        storage = open_storage(found.url, stall_s=8.0)
        for path in tmp_path.rglob("*"):
            if path.is_file():
                storage.put(path.relative_to(tmp_path).as_posix(), path)
        yield found


def said_of(capsys: pytest.CaptureFixture[str], *words: str) -> object:
    """What the command says to a program."""
    capsys.readouterr()
    assert cli.main(["runs", "--json", *words], ROOT) == DONE
    return json.loads(capsys.readouterr().out)


def test_a_bucket_is_listed_by_its_manifests(
    bucket: Bucket, capsys: pytest.CaptureFixture[str]
) -> None:
    """A damaged one among them hides nothing; filters hold as anywhere."""
    found = said_of(capsys, "--from", bucket.url)
    complete = said_of(capsys, "--from", bucket.url, "status=complete")

    assert {run["id"]: run["status"] for run in found} == {
        "train-a": "complete",
        "train-b": "complete",
        "damaged": "unreadable",
    }
    assert {run["place"] for run in complete} == {f"{bucket.url}/train-{n}" for n in "ab"}


def test_runs_in_a_bucket_are_shown_and_compared(
    bucket: Bucket, capsys: pytest.CaptureFixture[str]
) -> None:
    """By a part of the id, or by the URL of one."""
    shown = said_of(capsys, "show", "train-a", "--from", bucket.url)
    compared = said_of(capsys, f"{bucket.url}/train-a", f"{bucket.url}/train-b")

    assert shown["manifest"]["run_id"] == "train-a"
    assert [run["id"] for run in compared["runs"]] == ["train-a", "train-b"]
    assert len(compared["curves"]["loss"][0]) == 3


def test_only_so_many_manifests_are_read(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And how many were passed over is told."""
    monkeypatch.setattr(exported, "MOST_RUNS", 1)

    cli.main(["runs", "--from", bucket.url], ROOT)

    said = capsys.readouterr()
    assert len(said.out.splitlines()) == 2
    assert "2 older runs not looked at" in said.err


def test_a_web_server_can_show_one_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It cannot list what it has, and says so."""
    names = ("manifest.json", "config.yaml", "metrics.jsonl")
    folder = leave_run(tmp_path, "train-a")
    files = {f"train-a/{name}": (folder / name).read_bytes() for name in names}
    with serving(WebServer(files)) as server:
        shown = said_of(capsys, "show", f"{server.url}/train-a")
        missing = cli.main(["runs", "show", f"{server.url}/train-b"], ROOT)
        listed = cli.main(["runs", "--from", server.url], ROOT)

    said = capsys.readouterr().err
    assert shown["id"] == "train-a"
    assert missing == WRONG_JOB
    assert "no run lies there" in said
    assert listed == FAILED
    assert "list" in said


def test_a_place_that_does_not_answer_is_an_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not an empty list; and no traceback."""
    variables = Bucket("", f"http://127.0.0.1:{closed_port()}").variables
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(exported, "LIMITS", Limits(parallel=2, retries=0, stall_s=2.0))

    code = cli.main(["runs", "--from", "obs://bucket/results"], ROOT)

    said = capsys.readouterr()
    assert code == FAILED
    assert "obs://bucket/results" in said.err
    assert said.out == ""
