"""Stages: found by name, wired by what they need and make."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pipeline import stage
from pipeline.stage import Outlook

SOURCE = """
from pipeline.stage import Outlook, stage

@stage(look=lambda context: Outlook("x"), makes=("left", "right"))
def both(context, archives, *, folders=None):
    return archives, folders

def bare(context): ...
"""


@pytest.fixture(autouse=True)
def own_stages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a module of stages of a user's own."""
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    for name in ("own_stages", "boom", "broken", "leaves"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    (tmp_path / "own_stages.py").write_text(SOURCE)
    (tmp_path / "boom.py").write_text("raise KeyError('boom')\n")
    (tmp_path / "broken.py").write_text("def broken(:\n")
    (tmp_path / "leaves.py").write_text("raise SystemExit(3)\n")
    return tmp_path


@pytest.mark.parametrize("name", stage.names())
def test_a_stage_is_called_like_its_file(name: str) -> None:
    """File name, name in YAML and name in the log are one."""
    assert stage.find(name).name == name


def test_a_stage_of_the_users_own() -> None:
    """A name with dots is imported; its parameters say what it needs and accepts."""
    found = stage.find("own_stages.both")

    assert (found.needs, found.accepts, found.makes) == (
        ("archives",),
        ("folders",),
        ("left", "right"),
    )
    assert found.run(None, {"archives": 1, "other": 2}) == {"left": 1, "right": None}
    assert found.look(None) == Outlook("x")


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("fetsh", "did you mean 'fetch'"),
        ("own_stages.bare", "not declared with @stage"),
        ("own_stages.nothing", "does not exist"),
        ("no_such_module.x", "PYTHONPATH"),
        ("boom.x", "KeyError: 'boom'"),
        ("broken.x", "SyntaxError"),
        ("leaves.x", "SystemExit"),
        ("a..b", "expected a name such as"),
        (".x", "there is no stage"),
        ("os.path", "not declared with @stage"),
    ],
)
def test_what_is_no_stage_is_told(name: str, word: str) -> None:
    """Whatever importing it does, it ends in one mistake at its place in the list."""
    _, (mistake,) = stage.find_all(["fetch", name])

    assert mistake.key == "mode.stages.1"
    assert word in mistake.problem


@pytest.mark.parametrize(
    ("listed", "words"),
    [
        (["fetch"], []),
        (["fetch", "extract"], []),
        (["fetch", "extract", "export"], []),
        (["extract", "fetch"], ["needs 'archives'", "'fetch' makes it"]),
        (["fetch", "fetch"], ["stands twice"]),
        (["export", "fetch"], ["must be the last"]),
    ],
)
def test_wiring(listed: list[str], words: list[str]) -> None:
    """Each stage finds what it needs among what the stages before it make."""
    _, mistakes = stage.find_all(listed)

    assert bool(mistakes) == bool(words)
    assert all(word in str(mistakes[0]) for word in words)


@pytest.mark.parametrize(
    ("listed", "needs"),
    [
        (["fetch", "extract", "build", "train", "evaluate", "export"], False),
        (["fetch", "extract", "build", "evaluate", "export"], True),
        (["fetch", "extract", "build", "infer"], True),
        (["fetch", "extract"], False),
    ],
)
def test_which_lists_need_a_checkpoint_first(listed: list[str], needs: bool) -> None:
    """Training makes what evaluation needs; without it the checkpoint comes from elsewhere."""
    stages, _ = stage.find_all(listed)

    assert stage.needs_initial_checkpoint(stages) is needs
