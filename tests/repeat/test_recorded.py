"""The job of a past run, made again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.commands.repeat import recorded
from pipeline.commands.repeat.recorded import Recorded
from pipeline.commands.runs import finding
from pipeline.errors import ConfigError
from tests.runs.leaving import leave_run

START: dict[str, Any] = {"project": {"folder": "/gone/project"}}


def taken(folder: Path, config: dict[str, Any], *secrets: str, **start: Any) -> Recorded:
    """What is made of a run with this configuration and start; the project is `folder` now."""
    place = leave_run(folder, "a", config=config)
    record = {"starts": [start], "inputs": []} if start else {}
    (place / "provenance.json").write_text(json.dumps(record), encoding="utf-8")
    run = finding.in_folder(place)
    assert run is not None
    return recorded.take(run, {}, root=folder, secrets=secrets)


def test_paths_of_another_clone_are_those_of_this_one(tmp_path: Path) -> None:
    """And it is told; what only begins alike stays."""
    config = {"cluster": {"output_dir": ["/gone/project/outputs", "/gone/projects"]}}

    found = taken(tmp_path, config, **START)

    assert found.mapping["cluster"]["output_dir"] == [f"{tmp_path}/outputs", "/gone/projects"]
    assert found.notes == [f"paths below /gone/project are taken below {tmp_path}"]


@pytest.mark.parametrize(
    ("mode", "begun", "expected"),
    [
        ({"checkpoint": "latest"}, {"path": "/runs/b.ckpt"}, {"checkpoint": "/runs/b.ckpt"}),
        ({"checkpoint": None}, {"url": "obs://b/c.ckpt"}, {"checkpoint": "obs://b/c.ckpt"}),
        ({"checkpoint": "run-1"}, {"path": "/runs/b.ckpt"}, {"checkpoint": "run-1"}),
        ({"checkpoint": None}, {"path": "", "url": ""}, {"checkpoint": None}),
        (
            {"checkpoint": None, "resume": "launch"},
            {"path": "/a.ckpt"},
            {"checkpoint": None, "resume": "/a.ckpt"},
        ),
    ],
)
def test_what_latest_meant_then_is_meant_again(
    tmp_path: Path, mode: dict[str, Any], begun: dict[str, str], expected: dict[str, Any]
) -> None:
    """A newer training, or another launch, is not what the run started from."""
    assert taken(tmp_path, {"mode": mode}, starts_from=begun).mapping["mode"] == expected


def test_a_secret_is_filled_in_where_exactly_one_text_fits(tmp_path: Path) -> None:
    """By what remains of it when it is masked."""
    config = {"archives": [{"url": "https://host/a.zip?***"}]}
    fitting = "https://host/a.zip?key=word-for-tests"

    found = taken(tmp_path, config, "https://host/b.zip?key=x", fitting, "a")

    assert found.mapping["archives"][0]["url"] == fitting


@pytest.mark.parametrize("secrets", [(), ("https://host/a?k=1", "https://host/a?k=2"), ("***",)])
def test_every_missing_secret_is_named(tmp_path: Path, secrets: tuple[str, ...]) -> None:
    """None that fits, or several: nobody guesses."""
    config = {"a": {"url": "https://host/a?***"}, "b": {"api_key": "***"}}

    with pytest.raises(ConfigError) as raised:
        taken(tmp_path, config, *secrets)

    assert [mistake.key for mistake in raised.value.mistakes] == ["a.url", "b.api_key"]


def test_code_is_found_where_it_was_imported_from(tmp_path: Path) -> None:
    """The folder above the module's package; what is gone is left out."""
    package = tmp_path / "mine" / "nets"
    package.mkdir(parents=True)
    for name in ("__init__.py", "small.py"):
        (package / name).write_text("", encoding="utf-8")
    sources = {
        "nets.small.Net": {"path": str(package / "small.py")},
        "nets.Net": {"path": str(package / "__init__.py")},
        "gone.Net": {"path": str(tmp_path / "gone.py")},
        "odd": {},
    }

    found = list(recorded.code_folders({"sources": sources}))

    assert found == [tmp_path / "mine"] * 2
    assert list(recorded.code_folders({})) == []
