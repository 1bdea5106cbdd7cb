"""What leaves the run folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline import publish
from pipeline.errors import IntegrityError
from pipeline.manifest import Digests, Manifest, artifacts_in
from pipeline.publish import Place
from pipeline.storage import ignore_bytes
from pipeline.transfer import Limits
from tests.running import files_below

LIMITS = Limits(parallel=2, retries=0, stall_s=1.0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run folder with two artifacts and a log."""
    found = tmp_path / "outputs" / "a"
    found.mkdir(parents=True)
    for name in ("one.txt", "two.txt", "run.log"):
        (found / name).write_text(name)
    return found


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Where the run goes."""
    return publish.open_place(str(tmp_path / "exports"), "a", LIMITS)


def send(place: Place, folder: Path) -> publish.Sent:
    """What is in the folder now is sent."""
    artifacts = artifacts_in(folder, Digests())
    return publish.send(place, folder, artifacts, attempt=1, on_bytes=ignore_bytes)


def final(folder: Path, run_id: str = "a") -> Manifest:
    """The manifest at the end."""
    begun = Manifest(run_id=run_id, digest="d", started="2026-01-01T00:00:00.000Z")
    return begun.ended("complete", artifacts_in(folder, Digests()), None)


def test_only_what_is_new_moves(folder: Path, place: Place) -> None:
    """The second sending moves the changed file alone, and logs as they are now."""
    send(place, folder)
    (folder / "two.txt").write_text("changed")

    sent = send(place, folder)

    assert (sent.files, sent.sent_bytes) == (2, len("changed"))
    there = files_below(Path(place.url))
    assert sorted(there) == ["one.txt", "run.log", "two.txt"]
    assert there["two.txt"] == b"changed"


def test_nothing_claims_to_be_whole_while_files_move(folder: Path, place: Place) -> None:
    """A manifest from before is taken away as the first thing."""
    send(place, folder)
    publish.send_manifest(place, folder, final(folder))

    send(place, folder)

    assert not (Path(place.url) / "manifest.json").exists()


def test_what_an_older_attempt_left_goes_at_the_end(folder: Path, place: Place) -> None:
    """Files that an older manifest of this run names, and this one does not, are removed last."""
    send(place, folder)
    publish.send_manifest(place, folder, final(folder))
    (folder / "one.txt").unlink()

    send(place, folder)
    assert (Path(place.url) / "one.txt").exists()
    publish.send_manifest(place, folder, final(folder))

    assert sorted(files_below(Path(place.url))) == ["manifest.json", "run.log", "two.txt"]
    assert json.loads((folder / ".exported.json").read_text())["stale"] == []


def test_files_of_others_are_left_alone(folder: Path, place: Place) -> None:
    """What a foreign manifest names, or none, is not ours to remove."""
    there = Path(place.url)
    there.mkdir(parents=True)
    (there / "theirs.txt").write_text("x")
    (there / "manifest.json").write_text(final(there, run_id="another").as_json(), encoding="utf-8")

    send(place, folder)
    publish.send_manifest(place, folder, final(folder))

    assert (there / "theirs.txt").read_text() == "x"


def test_missing_tells_what_the_place_lacks(folder: Path, place: Place) -> None:
    """A file that is gone or has another size is named; with another manifest, the manifest."""
    send(place, folder)
    whole = final(folder)
    publish.send_manifest(place, folder, whole)
    there = Path(place.url)

    assert publish.missing(place, whole) == []
    (there / "one.txt").unlink()
    (there / "two.txt").write_text("longer than it was")
    assert publish.missing(place, whole) == ["one.txt", "two.txt"]
    assert publish.missing(place, whole.replaced(attempt=2)) == ["manifest.json"]
    (there / "manifest.json").write_text("{}")
    assert publish.missing(place, whole) == ["manifest.json"]


def test_a_manifest_that_comes_back_differently_is_no_success(
    folder: Path, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was sent is read back, and compared."""
    monkeypatch.setattr(type(place.storage), "get", lambda *_, **__: iter([b"{}"]))

    with pytest.raises(IntegrityError, match="not what was sent"):
        publish.send_manifest(place, folder, final(folder))


def test_a_ledger_of_another_place_counts_for_nothing(folder: Path, tmp_path: Path) -> None:
    """At a new place everything is sent, whatever was sent elsewhere."""
    send(publish.open_place(str(tmp_path / "exports"), "a", LIMITS), folder)

    sent = send(publish.open_place(str(tmp_path / "other"), "a", LIMITS), folder)

    assert sent.sent_bytes == len("one.txt") + len("two.txt")


def test_urls_shown_carry_no_secret() -> None:
    """The place's URL is fit for messages."""
    place = publish.open_place("https://me:word@host/a?token=b", "run", LIMITS)

    assert "word" not in place.url
    assert "token" not in place.url
