"""Which runs there are, and which one is meant."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.commands.runs import finding, listing, showing
from pipeline.commands.runs.record import STATUSES
from pipeline.errors import ConfigError
from pipeline.running import runfolder
from tests.runs.leaving import leave_run, manifest_of

TIMELESS = json.dumps(manifest_of("when", started="yesterday"))
OWN = """
import pathlib, sys, time
from pipeline.running import runfolder
with runfolder.owned(pathlib.Path(sys.argv[1])):
    print("mine", flush=True)
    time.sleep(60)
"""


def test_newest_runs_come_first(tmp_path: Path) -> None:
    """By the time of the end, also over several folders; what holds no manifest is no run."""
    leave_run(tmp_path / "one", "old", finished="2026-01-01T00:00:00.000Z")
    leave_run(tmp_path / "two", "new", finished="2026-03-01T00:00:00.000Z")
    leave_run(tmp_path / "one", "between", finished="2026-02-01T00:00:00.000Z")
    (tmp_path / "one" / "sweep-1").mkdir()
    (tmp_path / "one" / "file").write_text("", encoding="utf-8")

    found = finding.in_folders([tmp_path / "one", tmp_path / "two", tmp_path / "none"])

    assert [run.id for run in found] == ["new", "between", "old"]


def test_a_damaged_manifest_is_listed_with_what_is_wrong(tmp_path: Path) -> None:
    """Half a file, another file, a folder: none of them hides the other runs."""
    for name, content in {
        "half": '{"run_id": "ha',
        "other": "[]",
        "lacking": "{}",
        "when": TIMELESS,
    }.items():
        leave_run(tmp_path, name)
        (tmp_path / name / "manifest.json").write_text(content, encoding="utf-8")
    (tmp_path / "folder" / "manifest.json").mkdir(parents=True)
    leave_run(tmp_path, "good")

    found = {run.id: run for run in finding.in_folders([tmp_path])}

    assert {n: r.status for n, r in found.items() if n != "good"} == dict.fromkeys(
        ("half", "other", "lacking", "when", "folder"), "unreadable"
    )
    assert "manifest.json" in found["half"].problem
    assert found["good"].status == "complete"


def test_earlier_attempts_are_told_from_runs(tmp_path: Path) -> None:
    """A folder that was put aside is one whose name says so; a run may be called alike."""
    leave_run(tmp_path, "a", folder="a.old-1")
    leave_run(tmp_path, "b.old-1")
    leave_run(tmp_path, "c", folder="renamed")

    aside = {run.id: run.is_aside for run in finding.in_folders([tmp_path])}

    assert aside == {"a.old-1": True, "b.old-1": False, "renamed": False}


def test_a_run_is_running_while_its_owner_lives(tmp_path: Path) -> None:
    """A manifest that says running counts as interrupted once the process is gone."""
    folder = leave_run(tmp_path, "a", status="running", finished=None)
    owner = subprocess.Popen(
        [sys.executable, "-c", OWN, str(folder)], stdout=subprocess.PIPE, text=True
    )
    assert owner.stdout is not None
    with owner:
        assert owner.stdout.readline() == "mine\n"
        before = finding.in_folders([tmp_path])[0].status
        owner.kill()
        owner.wait()
        after = finding.in_folders([tmp_path])[0].status

    assert (before, after) == ("running", "interrupted")


def test_looking_for_an_owner_writes_nothing(tmp_path: Path) -> None:
    """Whoever lists runs leaves no lock behind."""
    leave_run(tmp_path, "a", status="running")

    finding.in_folders([tmp_path])

    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_number_given_to_another_process_is_no_owner(tmp_path: Path) -> None:
    """The word of a killed owner may name a process that lives and has nothing to do with it."""
    folder = leave_run(tmp_path, "a", status="running")
    with runfolder.owned(folder):
        content = (tmp_path / ".a.owner").read_text(encoding="utf-8")
    (tmp_path / ".a.owner").write_text(content, encoding="utf-8")

    assert not runfolder.is_owned(folder)


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("train-lenet5-digits-aaaa1111", "train-lenet5-digits-aaaa1111"),
        ("aaaa", "train-lenet5-digits-aaaa1111"),
        ("mlp", "train-mlp-digits-bbbb2222"),
        ("latest", "train-mlp-digits-bbbb2222"),
        ("x", "x"),
        ("lenet5", "train-lenet5-digits-aaaa1111"),
        ("repeat-1", "train-lenet5-digits-aaaa1111.repeat-1"),
        ("old-1", "train-mlp-digits-bbbb2222.old-1"),
    ],
)
def test_a_part_of_an_id_is_enough(tmp_path: Path, word: str, meant: str) -> None:
    """Where one run alone has it; the whole id wins; repeats and those put aside come last."""
    leave_run(tmp_path, "train-lenet5-digits-aaaa1111", finished="2026-01-01T00:00:00.000Z")
    again = "train-lenet5-digits-aaaa1111.repeat-1"
    leave_run(tmp_path, again, finished="2026-01-02T00:00:00.000Z")
    leave_run(tmp_path, "train-mlp-digits-bbbb2222")
    mlp = "train-mlp-digits-bbbb2222"
    leave_run(tmp_path, mlp, folder=f"{mlp}.old-1", finished="2026-01-01T00:00:00.000Z")
    leave_run(tmp_path, "x", finished="2026-01-01T00:00:00.000Z")
    leave_run(tmp_path, "xx", finished="2026-01-01T00:00:00.000Z")

    found = finding.find(word, finding.in_folders([tmp_path]))

    assert found.id == meant


def test_a_folder_names_a_run_wherever_it_lies(tmp_path: Path) -> None:
    """As a shell completes it, with a slash at its end."""
    folder = leave_run(tmp_path / "elsewhere", "a")

    assert finding.find(f"{folder}/", []).place == str(folder)


def test_what_may_mean_several_runs_lists_them(tmp_path: Path) -> None:
    """And what means none asks for the nearest."""
    leave_run(tmp_path, "train-a")
    leave_run(tmp_path, "train-b")
    runs = finding.in_folders([tmp_path])

    with pytest.raises(ConfigError, match=r"2 runs may be meant: train-\w, train-\w; write more"):
        finding.find("train", runs)
    with pytest.raises(ConfigError, match="no such run; did you mean 'train-a'"):
        finding.find("trian-a", runs[::-1][:1] if runs[0].id == "train-b" else runs[:1])


def test_one_id_in_two_folders_asks_for_the_folder(tmp_path: Path) -> None:
    """Its id cannot tell which is meant."""
    for name in ("one", "two"):
        leave_run(tmp_path / name, "a")

    with pytest.raises(ConfigError, match=f"{tmp_path}/.*write the folder of one"):
        finding.find("a", finding.in_folders([tmp_path / "one", tmp_path / "two"]))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.one_of(
        st.binary(max_size=60),
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
            max_leaves=5,
        ).map(lambda value: json.dumps(value).encode()),
        st.fixed_dictionaries({}, optional={
            name: st.none() | st.text() | st.integers() | st.lists(st.integers())
            for name in manifest_of("a")
        }).map(lambda changes: json.dumps({**manifest_of("a"), **changes}).encode()),
    )
)  # fmt: skip
def test_no_manifest_breaks_the_list(tmp_path: Path, content: bytes) -> None:
    """Whatever stands in it, the run has one of the statuses, and people can look at it."""
    run = finding.from_bytes("a", str(tmp_path), content, {}.get)

    assert run.status in STATUSES
    assert run.as_plain()["id"] == "a"
    listing.show([run])
    showing.show(run)


def test_nothing_waits_for_a_run_to_be_looked_at(tmp_path: Path) -> None:
    """A run that another process owns is told at once."""
    folder = leave_run(tmp_path, "a", status="running")
    with runfolder.owned(folder):
        started_s = time.monotonic()
        is_owned = runfolder.is_owned(folder)

    assert is_owned
    # Far above what a busy machine takes, far below a wait for the owner, which has no end here.
    assert time.monotonic() - started_s < 30
