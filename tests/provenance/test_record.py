"""provenance.json in a run folder."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from pipeline import errors
from pipeline.manifest import read
from pipeline.running import provenance
from pipeline.running.provenance import facts
from tests.provenance.committing import commit
from tests.running import DIGEST, context_of, files_below, go, make_job


def record_of(folder: Path) -> dict[str, Any]:
    """The record in the run folder."""
    found = provenance.read(folder)
    assert found is not None
    return found


def test_a_run_tells_where_it_comes_from(tmp_path: Path) -> None:
    """Code, packages, machine, device, seed, data and command; exported like any artifact."""
    commit(tmp_path)
    outcome = go(make_job(tmp_path))

    record = record_of(outcome.folder)
    (start,) = record["starts"]
    assert record["attempt"] == 1
    assert len(start["project"]["commit"]) == 40
    assert f"pydantic=={__import__('pydantic').VERSION}" in start["packages"]
    assert start["python"] == ".".join(map(str, sys.version_info[:3]))
    assert (start["seed"], start["digest"]) == (1, DIGEST)
    assert start["command"] == "python run.py"
    assert start["device"]["target"] == "CPU"
    assert [item["name"] for item in record["inputs"]] == ["set.zip"]
    assert len(record["inputs"][0]["sha256"]) == 64
    assert "provenance.json" in {artifact.path for artifact in outcome.manifest.artifacts}
    assert (tmp_path / "exports" / outcome.manifest.run_id / "provenance.json").is_file()


def test_a_second_run_changes_nothing(tmp_path: Path) -> None:
    """What is done stays done, whatever has become of the code's repository since."""
    commit(tmp_path)
    job = make_job(tmp_path)
    folder = go(job).folder
    before = files_below(folder)
    commit(tmp_path)

    outcome = go(job)

    assert outcome.was_done
    assert files_below(folder) == before


def test_going_on_under_the_same_conditions_adds_nothing(tmp_path: Path) -> None:
    """Under others, one more start."""
    job = make_job(tmp_path)
    context = context_of(job)
    provenance.begin(context)
    first = (context.folder / "provenance.json").read_bytes()

    provenance.begin(context)
    again = (context.folder / "provenance.json").read_bytes()
    provenance.begin(context_of(job.model_copy(update={"seed": 2})))

    assert again == first
    assert [start["seed"] for start in record_of(context.folder)["starts"]] == [1, 2]


def test_what_differs_from_the_commit_lies_beside(tmp_path: Path) -> None:
    """Without credentials."""
    (tmp_path / "a.py").write_text("a = 1\n", encoding="utf-8")
    job = make_job(tmp_path)
    commit(tmp_path)
    (tmp_path / "a.py").write_text("url = 'https://me:word-for-tests@host/a'\n", encoding="utf-8")
    context = context_of(job)

    provenance.begin(context)

    (start,) = record_of(context.folder)["starts"]
    text = (context.folder / "provenance.diff").read_text(encoding="utf-8")
    assert start["project"]["is_dirty"]
    assert start["project"]["diff"]["name"] == "provenance.diff"
    assert "+url = 'https://***@host/a'" in text
    assert "word-for-tests" not in text + json.dumps(start)


def test_code_of_the_users_own_is_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In its own repository, with files that this does not know yet; and MindRun as a library."""
    home = tmp_path / "mine"
    home.mkdir()
    (home / "readme").write_text("", encoding="utf-8")
    commit(home)
    (home / "my_provenance_net.py").write_text("def net(): pass\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(home))
    job = make_job(tmp_path / "project").model_copy(
        update={"sources": {"my_provenance_net.net": "a" * 64}}
    )
    context = context_of(job)

    provenance.begin(context)

    (start,) = record_of(context.folder)["starts"]
    code, ours = start["code"]
    assert code["folder"] == str(home)
    assert ours["folder"] == str(Path(errors.__file__).parent)
    assert code["untracked"] == ["my_provenance_net.py"]
    assert start["sources"]["my_provenance_net.net"]["path"] == str(home / "my_provenance_net.py")
    diff = (context.folder / "provenance-code-1.diff").read_text(encoding="utf-8")
    assert "+def net(): pass" in diff


def test_a_script_is_named_with_its_files(tmp_path: Path) -> None:
    """By their paths beside it, as the manifest names them."""
    (tmp_path / "part").mkdir()
    (tmp_path / "train.py").write_text("import part.net", encoding="utf-8")
    (tmp_path / "part" / "net.py").write_text("", encoding="utf-8")
    job = make_job(tmp_path, mode={"command": ["python", "train.py"]})
    names = {"train.py": "a" * 64, "part/net.py": "b" * 64}

    found = facts.sources(job.model_copy(update={"sources": names}))

    assert {target: source["path"] for target, source in found.items()} == {
        name: str(tmp_path / name) for name in names
    }


def test_no_record_can_stop_a_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither one that cannot be written, nor one that cannot be read, nor no git at all."""
    monkeypatch.setenv("PATH", str(tmp_path))
    job = make_job(tmp_path)
    folder = context_of(job).folder
    (folder / "provenance.json").mkdir()

    outcome = go(job)

    assert outcome.exit_code == 0
    assert read(folder) == outcome.manifest
    assert "provenance.json could not be written" in caplog.text


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"starts": 1, "inputs": []}', b"\xff"])
def test_a_damaged_record_counts_as_none(content: bytes) -> None:
    """It is written anew where the run goes on."""
    assert provenance.parsed(content) is None


def test_the_machine_names_what_decides_the_last_bits() -> None:
    """Its cores, and on Linux its instructions."""
    machine = facts.of_machine()

    assert machine["usable_cores"] >= 1
    assert all(isinstance(name, str) for name in machine["instructions"])


def test_what_was_set_is_on_record(tmp_path: Path) -> None:
    """Each choice and key with its default and who set it; a secret default is hidden."""
    settings = (
        {"key": "model", "choice": "mlp", "origin": "the command line"},
        {"key": "mode.epochs", "default": 30, "origin": "the command line"},
        {"key": "dataset.api_key", "default": "word-for-tests", "origin": "--api_key"},
    )
    job = make_job(tmp_path)
    launched = job.launched.model_copy(update={"settings": settings})

    outcome = go(job.model_copy(update={"launched": launched}))

    record = provenance.read(outcome.folder)
    assert record is not None
    assert record["starts"][0]["settings"] == [*settings[:2], {**settings[2], "default": "***"}]


def test_of_a_job_made_of_a_record_nothing_is_said(tmp_path: Path) -> None:
    """Nobody set anything; the defaults are not known."""
    record = provenance.read(go(make_job(tmp_path)).folder)

    assert record is not None
    assert record["starts"][0]["settings"] is None
