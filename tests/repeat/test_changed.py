"""What is other now than then."""

from __future__ import annotations

from typing import Any

from pipeline.commands.repeat import changes
from pipeline.manifest import Manifest
from tests.runs.leaving import manifest_of

THEN: dict[str, Any] = {
    "python": "3.11.7",
    "packages": ["mindspore==2.10.0", "numpy==1.26.4", "rich==13.0", "pip==24.0"],
    "machine": {"machine": "x86_64", "instructions": ["avx2", "avx512f"], "cores": 4},
    "device": {"target": "CPU", "ranks": 1, "variables": {"OMP_NUM_THREADS": "4"}},
    "sources": {"a.Net": {"path": "/a.py", "sha256": "1" * 64}},
    "project": {"commit": "c" * 40, "is_dirty": True, "diff": {"name": "provenance.diff"}},
}
MANIFEST = Manifest.model_validate(manifest_of("a"))


def told(**now: Any) -> dict[str, tuple[str, str, str]]:
    """What is said where these things are other now."""
    found = changes.since(THEN, MANIFEST, {**THEN, **now})
    return {change.what: (change.then, change.now, change.effect) for change in found}


def test_the_same_conditions_are_no_change() -> None:
    """Nothing is said of what is as it was."""
    assert told() == {}


def test_each_change_says_what_it_may_change() -> None:
    """Code may change anything, a library of numbers the last bits, most others nothing."""
    found = told(
        python="3.12.1",
        packages=["mindspore==2.7.0", "numpy==1.26.4", "rich==14.0", "pip==25.0"],
        machine={"machine": "x86_64", "instructions": ["avx2"], "cores": 4},
        device={"target": "CPU", "ranks": 2, "variables": {}},
        sources={"a.Net": {"path": "/a.py", "sha256": "2" * 64}},
        project={"commit": "d" * 40, "is_dirty": False},
    )

    assert found == {
        "code of a.Net": ("1" * 12, "2" * 12, "anything"),
        "commit of the project": ("c" * 10 + " with changes", "d" * 10, "anything"),
        "Python": ("3.11.7", "3.12.1", "hardly anything"),
        "mindspore": ("2.10.0", "2.7.0", "the last bits"),
        "2 other packages (pip, rich)": ("", "", "hardly anything"),
        "instructions": ("avx512f", "-", "the last bits"),
        "device ranks": ("1", "2", "the last bits"),
        "OMP_NUM_THREADS": ("4", "-", "the last bits"),
    }


def test_a_run_without_provenance_is_compared_by_its_manifest() -> None:
    """Which knows less, and claims nothing of what it does not know."""
    manifest = Manifest.model_validate(
        manifest_of("a", sources={"a.Net": "2" * 64}, environment={"mindspore": "2.7.0"})
    )

    found = {change.what for change in changes.since({}, manifest, THEN)}

    assert found == {"code of a.Net", "mindspore", "device target", "Python"}


def test_the_way_back_is_a_command_for_git() -> None:
    """With the difference where there was one; none where there was no repository."""
    clean = {"project": {"commit": "c" * 40, "diff": None}}

    assert changes.way_back(THEN, "/runs/a b") == [
        f"git checkout {'c' * 40}",
        "git apply '/runs/a b/provenance.diff'",
    ]
    assert changes.way_back(clean, "/runs/a") == [f"git checkout {'c' * 40}"]
    assert changes.way_back({"project": {"problem": "git is not installed"}}, "/runs/a") == []
    assert changes.way_back({}, "/runs/a") == []
