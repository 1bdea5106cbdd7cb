"""Which of several folders a job uses."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from pipeline.errors import ConfigError
from pipeline.inputs import places, receipts
from pipeline.running import preparation
from tests.running import go, make_job

IS_ROOT = hasattr(os, "geteuid") and os.geteuid() == 0


def test_the_first_that_can_be_written(tmp_path: Path) -> None:
    """A folder that cannot be made is passed over; nothing is made by looking."""
    (tmp_path / "file").write_text("x")

    chosen = places.choose("cluster.data_dir", [f"{tmp_path}/file/a", f"{tmp_path}/b/c", "/x"])

    assert chosen == tmp_path / "b" / "c"
    assert not (tmp_path / "b").exists()


def test_a_disk_that_is_full_of_the_jobs_data_is_the_right_one(tmp_path: Path) -> None:
    """Room is needed for what is still to come, and no disk has more than it has."""
    huge = tmp_path / "huge.zip"
    with huge.open("wb") as file:
        file.truncate(15 << 40)
    job = make_job(tmp_path, url=str(huge), cluster={"data_dir": ["/proc/none", f"{tmp_path}/b"]})
    there = tmp_path / "a" / "downloads" / "set.zip"
    there.parent.mkdir(parents=True)
    there.touch()
    receipts.add(there, sha256="abc")

    def needed_bytes(folder: Path) -> int:
        return preparation.needed_bytes(job, folder)

    chosen = [
        places.choose("k", [f"{tmp_path}/{name}", "/proc/none"], needed_bytes=needed_bytes)
        for name in ("a", "b")
    ]

    assert [needed_bytes(tmp_path / name) for name in ("a", "b")] == [0, 15 << 40]
    assert chosen == [tmp_path / "a", tmp_path / "b"]


def test_a_pseudo_file_system_has_no_room(tmp_path: Path) -> None:
    """/proc lets root look as if it could be written."""
    assert places.choose("cluster.data_dir", ["/proc/none", str(tmp_path)]) == tmp_path


@pytest.mark.skipif(IS_ROOT, reason="root may write anywhere")
def test_a_folder_of_somebody_else(tmp_path: Path) -> None:
    """A folder without the right to write is passed over."""
    (tmp_path / "theirs").mkdir(mode=0o555)

    assert places.choose("k", [f"{tmp_path}/theirs", f"{tmp_path}/b"]) == tmp_path / "b"


def test_a_full_disk_comes_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Room decides among what can be written; without room anywhere the first is taken."""
    room = {tmp_path / "a": 5, tmp_path / "b": places.ROOM_BYTES}
    monkeypatch.setattr(places, "_free_bytes", lambda path: room[path])

    assert places.choose("k", [f"{tmp_path}/a", f"{tmp_path}/b"]) == tmp_path / "b"
    assert places.choose("k", [f"{tmp_path}/a"]) == tmp_path / "a"


def test_none_at_all_is_a_mistake_in_the_job(tmp_path: Path) -> None:
    """All candidates are named, with the key to change."""
    (tmp_path / "file").write_text("x")

    with pytest.raises(ConfigError, match=r"cluster.data_dir: .*file/a cannot be written"):
        places.choose("cluster.data_dir", [f"{tmp_path}/file/a"])


def test_the_choice_is_logged_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """With several candidates the run says which one it is, once."""
    caplog.set_level(logging.INFO, "pipeline")
    good = str(tmp_path / "good")

    outcome = go(make_job(tmp_path, cluster={"data_dir": ["/proc/none", good]}))

    said = [r.getMessage() for r in caplog.records if "chose" in r.getMessage()]
    assert outcome.exit_code == 0
    assert len(said) == 1
    assert f"cluster.data_dir={good}" in said[0]
    assert f"cluster.data_dir={good}" in (outcome.folder / "run.log").read_text()
