"""fetch: every input is here and verified."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from pipeline.pretrained import Checkpoint
from pipeline.stages.fetch import fetch, look
from tests.running import context_of, make_job


def test_the_first_time_something_is_fetched(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The archive lands, one line says so, and the outlook says done from then on."""
    caplog.set_level(logging.INFO, "pipeline")
    context = context_of(make_job(tmp_path))
    assert look(context).state == "todo"

    products = fetch.run(context, {})

    outlook = look(context)
    assert outlook.state == "done"
    assert outlook.products["archives"] == products["archives"]
    assert outlook.products["inputs"] == products["inputs"]
    assert [r.getMessage().split(":")[0] for r in caplog.records] == ["fetched set.zip"]


def test_what_is_here_is_neither_fetched_nor_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A second run of the stage does no work and says nothing."""
    context = context_of(make_job(tmp_path))
    fetch.run(context, {})
    events = (context.folder / "events.jsonl").read_text()
    caplog.clear()

    fetch.run(context, {})

    assert caplog.records == []
    assert (context.folder / "events.jsonl").read_text() == events


def test_a_damaged_archive_is_fetched_again(tmp_path: Path) -> None:
    """What lies under the final name is compared with its receipt."""
    context = context_of(make_job(tmp_path))
    fetch.run(context, {})
    (context.downloads / "set.zip").write_bytes(b"damaged")
    assert look(context).state == "changed"

    fetch.run(context, {})

    source = tmp_path / "source" / "set.zip"
    assert (context.downloads / "set.zip").read_bytes() == source.read_bytes()


def test_a_checkpoint_with_a_url_is_an_input(tmp_path: Path) -> None:
    """Weights are fetched like data, and their digest is on record."""
    weights = tmp_path / "net.ckpt"
    weights.write_bytes(b"weights")
    job = make_job(tmp_path, mode={"checkpoint": f"file://{weights}"})
    context = context_of(job)

    products = fetch.run(context, {})

    found = products["checkpoint"]
    assert isinstance(found, Checkpoint)
    assert found.path.parent == context.downloads
    assert found.path.read_bytes() == b"weights"
    assert [item["kind"] for item in products["inputs"]] == ["archive", "checkpoint"]
    assert look(context).products["checkpoint"] == found
