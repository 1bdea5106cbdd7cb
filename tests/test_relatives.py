"""In what a new run differs from the latest of its kind."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
import yaml

from pipeline.configuration.compose import Composed
from pipeline.manifest import Manifest
from pipeline.running import preparation
from pipeline.starting import relatives
from tests.jobs import composed

pytestmark = pytest.mark.usefixtures("quick_jobs")


def job(folder: Path, *argv: str) -> Composed:
    """The job with its folders in `folder`."""
    return composed(f"cluster.output_dir={folder}", f"cluster.data_dir={folder}", *argv)


def recorded(folder: Path, found: Composed, *, at_s: float) -> str:
    """The run has been there; gives its id."""
    place = folder / found.job.run_id
    place.mkdir()
    (place / "config.yaml").write_text(yaml.safe_dump(found.mapping, allow_unicode=True))
    sources = dict(found.job.sources)
    Manifest(run_id=place.name, digest=found.job.digest, started="", sources=sources).write(place)
    os.utime(place / "manifest.json", (at_s, at_s))
    return place.name


def difference(found: Composed) -> str:
    """What a plan of this job says of it."""
    return relatives.difference(preparation.prepare(found.job, ""), found.mapping)


def test_the_latest_run_of_the_same_kind_counts(tmp_path: Path) -> None:
    """Changed keys are named with both values; older runs and those of other kinds do not count."""
    latest = recorded(tmp_path, job(tmp_path), at_s=200)
    recorded(tmp_path, job(tmp_path, "seed=7"), at_s=100)
    recorded(tmp_path, job(tmp_path, "model=mlp"), at_s=300)

    said = difference(job(tmp_path, "dataset.loader.size=28", "dataset.limits.members=5"))

    assert said == f"a new run; differs from {latest} in dataset.loader.size (28, was 32)"


def test_changed_code_is_named(tmp_path: Path) -> None:
    """What the loader's module was when the run was made stands in its manifest."""
    before = job(tmp_path, "seed=3")
    sources = {**before.job.sources, "pipeline.datasets.mnist.load": "0" * 64}
    edited = before.job.model_copy(update={"sources": sources})
    recorded(tmp_path, Composed(edited, before.mapping, []), at_s=100)

    said = difference(job(tmp_path, "mode.epochs=1"))

    assert re.search(r"seed \(1, was 3\), the code of pipeline\.datasets\.mnist$", said)


def test_other_data_are_named_by_digest_or_name(tmp_path: Path) -> None:
    """The place where an archive lies decides nothing; its content does."""
    recorded(tmp_path, job(tmp_path), at_s=100)
    at = "dataset.archives.0"

    elsewhere = difference(job(tmp_path, "seed=2", f"{at}.url=/mnt/a.zip", f"{at}.sha256=null"))

    assert "dataset.archives.0 (digits, was fab20a72" in elsewhere
    assert "url" not in elsewhere


def test_keys_that_come_and_go_are_named(tmp_path: Path) -> None:
    """An argument that only one of the two runs has is no null."""
    recorded(tmp_path, job(tmp_path, "+dataset.sample.old=1"), at_s=100)

    said = difference(job(tmp_path, "+dataset.sample.new=2"))

    assert "dataset.sample.new (2, new), dataset.sample.old (gone, was 1)" in said


def test_nothing_is_said_without_a_relative(tmp_path: Path) -> None:
    """The first run of its kind, one that is there already, and one with a chosen name."""
    assert difference(job(tmp_path)) == ""
    recorded(tmp_path, job(tmp_path), at_s=100)

    assert difference(job(tmp_path)) == ""
    assert difference(job(tmp_path, "seed=2", "run.id=mine")) == ""


@pytest.mark.parametrize("content", ["", "[1]", "a: [", "dataset: 3"])
def test_a_record_that_cannot_be_read_says_nothing_of_its_keys(
    tmp_path: Path, content: str
) -> None:
    """A plan is shown whatever an earlier run has left."""
    run_id = recorded(tmp_path, job(tmp_path), at_s=100)
    (tmp_path / run_id / "config.yaml").write_text(content)

    assert "seed" not in difference(job(tmp_path, "seed=2")) or content == "dataset: 3"
