"""A job written for another process and read by it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import ConfigError
from pipeline.starting import assignment
from pipeline.starting.assignment import Assignment
from tests.jobs import composed

pytestmark = pytest.mark.usefixtures("quick_jobs")

SECRET = "word-in-a-query"
URL = f"https://host/a.zip?Signature={SECRET}"


def assigned(*argv: str) -> Assignment:
    """The job of this command line, as a process gets it."""
    made = composed(*argv)
    return Assignment(made.job, made.mapping, f"python run.py {' '.join(argv)}", notes=("a note",))


def test_what_is_written_is_read(tmp_path: Path) -> None:
    """Job, digest, sources, launch, notes and command come through as they were."""
    path = tmp_path / "job.json"
    before = assigned("model=mlp", "mode.checkpoint=甲.ckpt", "mode=infer")

    variables = assignment.write(path, before)
    after = assignment.read(path, variables)

    assert variables == {}
    assert after.job == before.job
    assert after.job.run_id == before.job.run_id
    assert after.job.sources == before.job.sources
    assert after.job.launched == before.job.launched
    assert (after.mapping, after.command) == (before.mapping, before.command)
    assert list(after.notes) == ["a note"]


def test_a_secret_is_in_no_file(tmp_path: Path) -> None:
    """The query of a signed URL goes from process to process in a variable."""
    path = tmp_path / "job.json"
    before = assigned(f"dataset.archives=[{{url: '{URL}', name: a.zip}}]")

    variables = assignment.write(path, before)
    after = assignment.read(path, variables)

    assert SECRET not in path.read_text(encoding="utf-8")
    assert URL in variables[assignment.SECRETS]
    assert after.job.dataset.archives[0].url == URL


def test_a_secret_that_is_not_there_is_said(tmp_path: Path) -> None:
    """A file without its variables is refused, and so is half a file."""
    path = tmp_path / "job.json"
    assignment.write(path, assigned(f"dataset.archives=[{{url: '{URL}', name: a.zip}}]"))

    with pytest.raises(ConfigError, match="start the sweep again"):
        assignment.read(path, {})
    path.write_text(path.read_text(encoding="utf-8")[:300], encoding="utf-8")
    with pytest.raises(ConfigError, match=r"job\.json is no job that can be run"):
        assignment.read(path, {})


def test_another_source_is_refused(tmp_path: Path) -> None:
    """A network that was edited since is another run, which this file does not name."""
    path = tmp_path / "job.json"
    assignment.write(path, assigned())
    document = json.loads(path.read_text(encoding="utf-8"))
    target = next(iter(document["sources"]))
    document["sources"][target] = "0" * 64
    path.write_text(json.dumps(document), encoding="utf-8")

    with pytest.raises(ConfigError, match=rf"source of {target} is another one"):
        assignment.read(path, {})


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.integers(), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["a", "api_key", "url"]), VALUES))
def test_any_mapping_survives(mapping: dict[str, Any]) -> None:
    """Whatever keys and texts it has, none is changed on the way through JSON."""
    secrets: list[str] = []

    written = json.dumps(assignment._hidden(mapping, secrets))

    assert assignment._shown(json.loads(written), json.loads(json.dumps(secrets))) == mapping
