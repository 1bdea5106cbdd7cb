"""Whether a repeated run came out like the first."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.commands.repeat import verdict
from pipeline.commands.runs import Run, finding
from tests.runs.leaving import leave_run


def left(folder: Path, name: str, files: dict[str, str] | None = None, **changes: Any) -> Run:
    """A run with these files in its folder."""
    place = leave_run(folder, name, artifacts=[], **changes)
    for path, text in (files or {}).items():
        (place / path).write_text(text, encoding="utf-8")
    run = finding.in_folder(place)
    assert run is not None
    return run


def found(first: Run, again: Run) -> dict[str, tuple[str, str]]:
    """Everything that is not the same, with the difference."""
    findings = verdict.compare(first, again)
    return {f.what: (f.verdict, f.detail) for f in findings if f.verdict != verdict.SAME}


def test_equal_runs_are_the_same_whatever_time_they_took(tmp_path: Path) -> None:
    """Speed is no result, and neither is the digest of a file that holds times."""
    rows = [{"epoch": 1, "loss": 0.1, "seconds": s, "samples_per_s": 1 / s} for s in (1, 2)]
    reports = [{"accuracy": 0.5, "checkpoint": {"sha256": digit * 64}} for digit in "12"]
    runs = [
        left(tmp_path, name, {"metrics.jsonl": json.dumps(row), "metrics.json": json.dumps(report)})
        for name, row, report in zip("ab", rows, reports)
    ]

    assert found(*runs) == {}
    assert {f.what for f in verdict.compare(*runs)} == {
        "input data",
        "loss of each epoch",
        "metric accuracy",
        "metric loss",
        "metrics.json",
    }


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"metrics": {"accuracy": 0.9}}, {"metric loss": ("differs", "0.25, then None")}),
        (
            {"metrics": {"accuracy": 0.9000000000000001, "loss": 0.25}},
            {"metric accuracy": ("differs", "0.9, then 0.9000000000000001")},
        ),
        (
            {"losses": (2.0, 1.5, 0.5)},
            {"loss of each epoch": ("differs", "first in epoch 2: 1.0, then 1.5")},
        ),
        ({"losses": (2.0,)}, {"epochs in metrics.jsonl": ("differs", "3 epochs, then 1")}),
        (
            {"inputs": [{"name": "digits.zip", "sha256": "e" * 64}]},
            {"input data": ("differs", f"digits.zip (sha256 {'f' * 12} before, {'e' * 12} now)")},
        ),
        (
            {"files": {"predictions.csv": "a\nx\nd\n"}},
            {"predictions.csv": ("differs", "3 lines")},
        ),
        (
            {"files": {"metrics.json": '{"per_class": [1]}'}},
            {"metrics.json": ("differs", "per_class")},
        ),
    ],
)
def test_a_difference_is_told_in_numbers(
    tmp_path: Path, changes: dict[str, Any], expected: dict[str, tuple[str, str]]
) -> None:
    """Exactly: the last bit counts; what only one run has differs."""
    assert found(left(tmp_path, "a"), left(tmp_path, "b", **changes)) == expected


def test_a_checkpoint_that_only_one_run_has_differs(tmp_path: Path) -> None:
    """By the manifests' lists, in the order of the epochs."""
    runs = []
    for name, epochs in (("a", (2, 10)), ("b", ())):
        artifacts = [
            {"path": f"checkpoints/net-{epoch}.ckpt", "size_bytes": 1, "sha256": "1" * 64}
            for epoch in epochs
        ]
        run = finding.in_folder(leave_run(tmp_path, name, artifacts=artifacts))
        assert run is not None
        runs.append(run)

    assert list(found(*runs).items()) == [
        (f"weights in net-{epoch}.ckpt", ("differs", "only the first has it")) for epoch in (2, 10)
    ]


def test_what_a_script_wrote_is_compared(tmp_path: Path) -> None:
    """Byte by byte, by the manifests' lists; files of the run folder itself tell of their run."""
    runs = []
    for name, digit in (("a", "1"), ("b", "2")):
        artifacts = [
            {"path": path, "size_bytes": 1, "sha256": sha256 * 64}
            for path, sha256 in (
                ("config.yaml", digit),
                ("output/same.txt", "3"),
                ("output/权重.bin", digit),
                (f"output/only {name}", "4"),
            )
        ]
        run = finding.in_folder(leave_run(tmp_path, name, artifacts=artifacts))
        assert run is not None
        runs.append(run)

    expected = ("differs", "3 of 4: output/only a, output/only b, output/权重.bin")
    assert found(*runs) == {"files of the script": expected}
    assert found(runs[0], runs[0]) == {}


def test_data_alone_are_no_result(tmp_path: Path) -> None:
    """Nobody may take it for a proof that the same data were there."""
    bare = left(tmp_path, "a", losses=(), metrics={})

    findings = verdict.compare(bare, bare)

    assert [(f.what, f.verdict) for f in findings] == [("input data", "same")]
    assert not verdict.are_results(findings)
    assert verdict.are_results(verdict.compare(left(tmp_path, "b"), left(tmp_path, "c")))
