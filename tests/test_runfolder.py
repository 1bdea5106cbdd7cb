"""The run folder has one owner, and steps aside for a new start."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipeline.errors import RunBusyError
from pipeline.running import runfolder


def test_the_owner_is_named_to_others(tmp_path: Path) -> None:
    """Whoever comes second reads the first one's pid; afterwards the run is free."""
    with (
        runfolder.owned(tmp_path / "a"),
        pytest.raises(RunBusyError, match=f"pid {os.getpid()} on"),
        runfolder.owned(tmp_path / "a"),
    ):
        pass

    with runfolder.owned(tmp_path / "a"):
        pass
    assert [path.name for path in tmp_path.iterdir()] == [".a.lock"]


def test_an_owner_without_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An owner that has not written its name yet is waited for, not for long."""
    monkeypatch.setattr(runfolder, "_OWNER_WAIT_S", 0)

    with runfolder.owned(tmp_path / "a"):
        (tmp_path / ".a.owner").write_text("{")
        with (
            pytest.raises(RunBusyError, match="its pid is not known"),
            runfolder.owned(tmp_path / "a"),
        ):
            pass


def test_a_stale_owner_file_means_nothing(tmp_path: Path) -> None:
    """What a killed owner left does not keep anybody out."""
    (tmp_path / ".a.owner").write_text('{"pid": 1, "host": "h"}')

    with runfolder.owned(tmp_path / "a"):
        assert f'"pid": {os.getpid()}' in (tmp_path / ".a.owner").read_text()


def test_folders_put_aside_are_numbered(tmp_path: Path) -> None:
    """The lowest free number is taken, and all of them are found again."""
    for _ in range(2):
        (tmp_path / "a").mkdir()
        runfolder.set_aside(tmp_path / "a")
    (tmp_path / "a.old-x").mkdir()
    (tmp_path / "ab.old-1").mkdir()

    found = sorted(path.name for path in runfolder.put_aside(tmp_path / "a"))

    assert found == ["a.old-1", "a.old-2"]
    assert runfolder.put_aside(tmp_path / "none" / "a") == []
