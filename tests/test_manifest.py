"""manifest.json: the record of a run."""

from __future__ import annotations

import hashlib
import json
import string
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from pipeline import manifest
from pipeline.manifest import Artifact, Digests, Failure, Manifest, StageRecord

TEXT = st.text(st.characters(blacklist_categories=("Cs",)), max_size=20)
NUMBER = st.floats(allow_nan=False, allow_infinity=False)
FACTS = st.dictionaries(
    st.text(string.ascii_lowercase, min_size=3, max_size=9).filter(
        lambda name: name not in {"name", "status", "seconds", "reason", "facts", "copy", "json"}
    ),
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | NUMBER | TEXT,
    max_size=3,
)


@st.composite
def manifests(draw: st.DrawFn) -> Manifest:
    """Any manifest a run may write."""
    stages = [
        StageRecord.model_validate(
            {
                **draw(FACTS),
                "name": name,
                "status": draw(st.sampled_from(["done", "skipped", "failed"])),
                "seconds": draw(NUMBER),
                "reason": draw(st.none() | TEXT),
            }
        )
        for name in draw(st.lists(TEXT, unique=True, max_size=3))
    ]
    artifact = st.builds(Artifact, path=TEXT, size_bytes=st.integers(0, 2**50), sha256=TEXT)
    return Manifest(
        run_id=draw(TEXT),
        digest=draw(TEXT),
        attempt=draw(st.integers(1, 100)),
        status=draw(st.sampled_from(["running", "complete", "failed", "interrupted"])),
        started=draw(TEXT),
        stages=tuple(stages),
        metrics=draw(st.dictionaries(TEXT, NUMBER, max_size=3)),
        artifacts=tuple(draw(st.lists(artifact, max_size=3))),
        error=draw(st.none() | st.builds(Failure, type=TEXT, message=TEXT, stage=TEXT)),
        inputs=tuple(draw(st.lists(FACTS, max_size=2))),
    )


@given(manifests())
def test_a_manifest_survives_json(written: Manifest) -> None:
    """What is read from a manifest's text is the manifest, and writing it again changes nothing."""
    read = Manifest.model_validate_json(written.as_json())

    assert read == written
    assert read.as_json() == written.as_json()
    assert json.loads(written.as_json())["run_id"] == written.run_id


def record(name: str, status: str = "done") -> StageRecord:
    """A stage's record."""
    return StageRecord.model_validate({"name": name, "status": status, "seconds": 1.0})


def begun() -> Manifest:
    """A manifest with nothing in it yet."""
    return Manifest(run_id="a", digest="d", started="2026-01-01T00:00:00.000Z")


def test_a_record_takes_the_place_of_its_older_one() -> None:
    """Stages stay in the order of the job when one of them is done again."""
    before = begun().with_stage(record("fetch", "failed")).with_stage(record("extract"))

    after = before.with_stage(record("fetch"))

    assert [(s.name, s.status) for s in after.stages] == [("fetch", "done"), ("extract", "done")]


def test_artifacts_are_the_finished_files_alone(tmp_path: Path) -> None:
    """Growing logs, private, unfinished and locked files are no artifacts; paths are posix."""
    for name in ("b.txt", "sub/a.txt", "run.log", "events.jsonl", "manifest.json", "logs/1.log"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    for name in (".exported.json", ".run.lock", "_x", "a.part", "sub/.y.tmpz", ".scratch/deep"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")

    found = manifest.artifacts_in(tmp_path, Digests())

    assert [(a.path, a.size_bytes) for a in found] == [("b.txt", 1), ("sub/a.txt", 1)]
    assert found[0].sha256 == hashlib.sha256(b"x").hexdigest()
    assert manifest.growing_in(tmp_path) == ["events.jsonl", "logs/1.log", "run.log"]


def test_in_haste_only_what_was_read_before_is_vouched_for(tmp_path: Path) -> None:
    """A file that is new or was changed would have to be read first, and is left out."""
    for name in ("old", "changed"):
        (tmp_path / name).write_text(name)
    digests = Digests()
    before = manifest.artifacts_in(tmp_path, digests)
    (tmp_path / "changed").write_text("is longer")
    (tmp_path / "new").write_text("new")

    found = manifest.artifacts_in(tmp_path, digests, only_known=True)

    assert found == tuple(a for a in before if a.path == "old")
    assert [a.path for a in manifest.artifacts_in(tmp_path, digests)] == ["changed", "new", "old"]


def test_intact_means_every_artifact_with_its_size(tmp_path: Path) -> None:
    """A file that is gone or has another size breaks the claim."""
    (tmp_path / "a").write_text("x")
    whole = begun().ended("complete", manifest.artifacts_in(tmp_path, Digests()), None)

    assert manifest.is_intact(whole, tmp_path)
    (tmp_path / "a").write_text("xy")
    assert not manifest.is_intact(whole, tmp_path)
    (tmp_path / "a").unlink()
    assert not manifest.is_intact(whole, tmp_path)


def test_past_runs_are_listed_newest_first(tmp_path: Path) -> None:
    """Folders put aside, damaged manifests and foreign folders are passed over."""
    for name, year in (("a", "2025"), ("b", "2026")):
        (tmp_path / name).mkdir()
        begun().replaced(run_id=name, started=year).write(tmp_path / name)
    (tmp_path / "b.old-1").mkdir()
    begun().replaced(run_id="b").write(tmp_path / "b.old-1")
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "manifest.json").write_text('{"run_id": ')

    assert [run.run_id for run in manifest.past(tmp_path)] == ["b", "a"]
    assert manifest.past(tmp_path / "none") == []
