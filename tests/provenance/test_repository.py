"""What git tells about a folder of code."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

from pipeline.running.provenance import repository
from tests.provenance.committing import commit, git


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A repository with one commit."""
    (tmp_path / "net.py").write_text("size = 1\n", encoding="utf-8")
    commit(tmp_path)
    return tmp_path


def test_a_clean_checkout_is_its_commit(folder: Path) -> None:
    """Commit, branch, nothing changed, no difference."""
    found = repository.look(folder, [folder / "net.py"])

    assert found.commit == git(folder, "rev-parse", "HEAD").strip()
    assert (found.branch, found.is_dirty, found.diff) == ("work", False, b"")


def test_the_difference_makes_the_commit_the_present_files(folder: Path) -> None:
    """Changed files and unknown ones that count, applied by git to a fresh checkout."""
    (folder / "net.py").write_text("size = 2\n", encoding="utf-8")
    (folder / "新 net.py").write_text("new = 1\n", encoding="utf-8")
    (folder / "data.txt").write_text("not asked for", encoding="utf-8")

    found = repository.look(folder, [folder / "net.py", folder / "新 net.py"])

    assert (found.changed, found.untracked) == (("net.py",), ("新 net.py",))
    git(folder, "clone", "-q", str(folder), str(folder / "clone"))
    subprocess.run(["git", "apply"], cwd=folder / "clone", input=found.diff, check=True)
    assert (folder / "clone" / "net.py").read_text(encoding="utf-8") == "size = 2\n"
    assert (folder / "clone" / "新 net.py").read_text(encoding="utf-8") == "new = 1\n"
    assert b"not asked for" not in found.diff


def test_only_what_lies_in_the_folder_counts(folder: Path) -> None:
    """The project may be a part of a larger repository."""
    (folder / "part").mkdir()
    (folder / "part" / "a.py").write_text("", encoding="utf-8")
    commit(folder)
    (folder / "net.py").write_text("size = 2\n", encoding="utf-8")

    assert repository.look(folder).is_dirty
    assert not repository.look(folder / "part").is_dirty


def test_a_long_difference_is_cut(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And says so; no more of it is ever held in memory."""
    monkeypatch.setattr(repository, "LONGEST_DIFF_BYTES", 1000)
    (folder / "net.py").write_text("x" * 1_000_000, encoding="utf-8")

    found = repository.look(folder)

    assert (len(found.diff), found.is_cut, found.changed) == (1000, True, ("net.py",))


def test_no_repository_and_no_git_are_problems_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither is an error."""
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    outside = repository.look(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    without_git = repository.look(tmp_path)

    assert "not a git repository" in outside.problem
    assert without_git.problem == "git is not installed"


def test_a_git_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A job waits for it no longer than told."""
    hanging = tmp_path / "git"
    hanging.write_text("#!/bin/sh\nexec sleep 300\n", encoding="utf-8")
    hanging.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.setattr(repository, "PATIENCE_S", 0.2)
    started_s = time.monotonic()

    found = repository.look(tmp_path)

    assert "git took longer" in found.problem
    assert time.monotonic() - started_s < 100


def test_a_repository_without_a_commit_has_none(tmp_path: Path) -> None:
    """Its files are all unknown to it."""
    git(tmp_path, "init", "-q")
    (tmp_path / "a.py").write_text("a = 1\n", encoding="utf-8")

    found = repository.look(tmp_path, [tmp_path / "a.py"])

    assert (found.commit, found.problem, found.untracked) == (None, "", ("a.py",))
