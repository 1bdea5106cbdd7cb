"""One input of a job, from where it lies to where it lands."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from pipeline.errors import IntegrityError, ObjectMissingError
from pipeline.inputs import arrivals, inputs, receipts
from pipeline.inputs.arrivals import Way
from pipeline.job.job import Archive
from pipeline.storage import ignore_bytes
from pipeline.transfer import Limits
from tests.servers import WebServer, serving

LIMITS = Limits(parallel=2, retries=0, stall_s=1.0)


def fetch(archive: Archive, path: Path) -> inputs.Fetched:
    """The input is brought here."""
    way = Way(limits=LIMITS, now={}, datasets=None, silence_s=5.0)
    return arrivals.fetch(archive, path, way, on_bytes=ignore_bytes)


def place_of(archive: Archive, folder: Path) -> Path:
    """Where it lands."""
    return inputs.landing_place(archive, folder / "downloads", folder / "datasets")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A local file to fetch."""
    path = tmp_path / "source.zip"
    path.write_bytes(b"content")
    return path


def test_a_file_lands_whole_with_its_digest(source: Path, tmp_path: Path) -> None:
    """After fetching, receipts tell that it is here; the facts name size and digest."""
    archive = Archive(url=str(source), name="a.zip")
    path = place_of(archive, tmp_path)

    fetched = fetch(archive, path)

    assert path == tmp_path / "downloads" / "a.zip"
    assert (fetched.sha256, fetched.size_bytes) == (hashlib.sha256(b"content").hexdigest(), 7)
    assert inputs.state_of(archive, path) == ("done", "already here and verified")
    assert fetched.facts(archive.url)["kind"] == "archive"


def test_a_source_that_changed_is_fetched_anew(source: Path, tmp_path: Path) -> None:
    """Another size or time at a local source means a look at its content."""
    archive = Archive(url=str(source), name="a.zip")
    path = place_of(archive, tmp_path)
    fetch(archive, path)
    source.write_bytes(b"other content")

    assert inputs.state_of(archive, path)[0] == "changed"
    assert fetch(archive, path).size_bytes == 13
    assert path.read_bytes() == b"other content"


def test_a_local_copy_that_was_touched_is_fetched_anew(source: Path, tmp_path: Path) -> None:
    """What no receipt vouches for any more is replaced."""
    archive = Archive(url=str(source), name="a.zip")
    path = place_of(archive, tmp_path)
    fetch(archive, path)
    path.write_bytes(b"damaged")
    os.utime(path, (1, 1))

    assert inputs.state_of(archive, path)[0] == "changed"
    fetch(archive, path)
    assert path.read_bytes() == b"content"


def test_another_url_or_digest_under_the_same_name(source: Path, tmp_path: Path) -> None:
    """The same name from elsewhere, or with another digest asked for, is not the same input."""
    archive = Archive(url=str(source), name="a.zip")
    path = place_of(archive, tmp_path)
    fetch(archive, path)

    elsewhere = Archive(url=str(tmp_path / "b" / "source.zip"), name="a.zip")
    other_digest = Archive(url=str(source), name="a.zip", sha256="0" * 64)

    assert "came from" in inputs.state_of(elsewhere, path)[1]
    assert "sha256" in inputs.state_of(other_digest, path)[1]


def test_wrong_bytes_never_get_the_final_name(source: Path, tmp_path: Path) -> None:
    """A digest that does not match leaves nothing, and says both."""
    archive = Archive(url=str(source), name="a.zip", sha256="0" * 64)
    path = place_of(archive, tmp_path)

    with pytest.raises(IntegrityError, match=r"a\.zip|source\.zip"):
        fetch(archive, path)

    assert not path.exists()


def test_nothing_at_the_url(tmp_path: Path) -> None:
    """A missing object is named, without the query of its URL."""
    with serving(WebServer()) as web:
        archive = Archive(url=f"{web.url}/none.zip?Signature=word", name="none.zip")

        with pytest.raises(ObjectMissingError, match=r"none\.zip") as caught:
            fetch(archive, place_of(archive, tmp_path))

    assert "word" not in str(caught.value)


def test_a_new_signature_is_the_same_object(tmp_path: Path) -> None:
    """A URL signed anew does not make its object another one."""
    with serving(WebServer(files={"a.zip": b"content"})) as web:
        first = Archive(url=f"{web.url}/a.zip?Signature=one", name="a.zip")
        path = place_of(first, tmp_path)
        fetch(first, path)
        second = Archive(url=f"{web.url}/a.zip?Signature=two", name="a.zip")

        assert inputs.state_of(first, path) == ("done", "already here and verified")
        state, told = inputs.state_of(second, path)
        assert state == "done"
        assert told.endswith("; its URL's query is another than before, a run would ask")
        assert arrivals.ask([(second, path)], LIMITS) != {}
        assert "=one" not in receipts.table_of(path).read_text()


def test_another_query_at_a_source_that_tells_nothing(tmp_path: Path) -> None:
    """Where neither etag nor size say that it is the same, it is fetched."""
    with serving(WebServer(files={"a.zip": b"content"})) as web:
        first = Archive(url=f"{web.url}/a.zip?version=1", name="a.zip")
        path = place_of(first, tmp_path)
        fetch(first, path)
        second = Archive(url=f"{web.url}/a.zip?version=2", name="a.zip")

        assert inputs.state_of(first, path, now={})[0] == "done"
        state, told = inputs.state_of(second, path, now={})

        assert state == "changed"
        assert told.endswith("another than before, and the source does not tell what lies there")
        way = Way(limits=LIMITS, now={second.url: {}}, datasets=None, silence_s=5.0)
        assert arrivals.fetch(second, path, way, on_bytes=ignore_bytes).is_new
        assert inputs.state_of(second, path, now={})[0] == "done"


def broken_off(archive: Archive, path: Path, *, at_bytes: int) -> None:
    """A fetch is interrupted as soon as so much has come."""
    arrived = [0]

    def stop(moved_bytes: int) -> None:
        arrived[0] += moved_bytes
        if arrived[0] >= at_bytes:
            raise KeyboardInterrupt

    way = Way(limits=LIMITS, now={}, datasets=None, silence_s=5.0)
    with pytest.raises(KeyboardInterrupt):
        arrivals.fetch(archive, path, way, on_bytes=stop)


def test_a_source_that_changed_since_a_copy_broke_off(source: Path, tmp_path: Path) -> None:
    """The plan does not promise to go on with what is of no use; then it comes whole."""
    source.write_bytes(b"before" * 1_000_000)
    archive = Archive(url=str(source), name="a.zip")
    path = place_of(archive, tmp_path)
    broken_off(archive, path, at_bytes=2_000_000)
    assert "would resume at byte " in inputs.state_of(archive, path)[1]

    source.write_bytes(b"after!" * 1_000_000)
    os.utime(source, (1, 1))

    told = inputs.state_of(archive, path)[1]
    assert told.startswith(f"would fetch 6.0 MB from {source} (it was changed since a download")
    fetch(archive, path)
    assert path.read_bytes() == source.read_bytes()
    assert inputs.state_of(archive, path)[0] == "done"
    assert [p.name for p in path.parent.iterdir() if "begun" in p.name] == []


def test_a_new_signature_for_a_download_that_broke_off(tmp_path: Path) -> None:
    """What has come is gone on from only if the source tells that it is the same."""
    with serving(WebServer(files={"a.zip": b"content" * 500_000})) as web:
        first = Archive(url=f"{web.url}/a.zip?Signature=one", name="a.zip")
        path = place_of(first, tmp_path)
        broken_off(first, path, at_bytes=2_000_000)
        second = Archive(url=f"{web.url}/a.zip?Signature=two", name="a.zip")

        assert inputs.state_of(first, path)[1].endswith("/a.zip?***")
        assert "if that tells of the same; its URL's query" in inputs.state_of(second, path)[1]
        assert fetch(second, path).size_bytes == 3_500_000


def test_a_folder_goes_straight_to_the_datasets(tmp_path: Path) -> None:
    """A brought folder is copied once, under its name and its place's digest."""
    (tmp_path / "brought" / "train").mkdir(parents=True)
    (tmp_path / "brought" / "train" / "a.txt").write_text("abc")
    archive = Archive(url=f"{tmp_path}/brought", name="mine")
    path = place_of(archive, tmp_path)

    fetched = fetch(archive, path)

    assert (fetched.kind, fetched.size_bytes, fetched.sha256) == ("folder", 3, None)
    assert path.parent == tmp_path / "datasets"
    assert path.name.startswith("mine-")
    assert (path / "train" / "a.txt").read_text() == "abc"
    assert inputs.state_of(archive, path)[0] == "done"


def test_a_changed_folder_stays_until_its_successor_is_whole(tmp_path: Path) -> None:
    """A fetch that fails half-way leaves the old folder and its receipt as they were."""
    source = tmp_path / "brought"
    source.mkdir()
    (source / "a.txt").write_text("before")
    archive = Archive(url=f"{source}/", name="mine")
    path = place_of(archive, tmp_path)
    fetch(archive, path)
    receipt = receipts.last(path)
    (source / "a.txt").write_text("afterwards")
    (source / "b\\c").write_text("a name that is refused")

    with pytest.raises(IntegrityError):
        fetch(archive, path)

    assert receipts.last(path) == receipt
    assert receipts.vouches(path)
    assert (path / "a.txt").read_text() == "before"
    (source / "b\\c").unlink()
    fetch(archive, path)
    assert (path / "a.txt").read_text() == "afterwards"
    assert inputs.state_of(archive, path)[0] == "done"
    assert [p.name for p in path.parent.iterdir() if ".tmp" in p.name or ".part" in p.name] == []


def test_a_changed_folder_is_here_while_the_new_one_comes(tmp_path: Path) -> None:
    """Whoever reads it meanwhile finds every file of the old one."""
    source, seen = tmp_path / "brought", []
    source.mkdir()
    (source / "a.txt").write_text("before")
    archive = Archive(url=f"{source}/", name="mine")
    path = place_of(archive, tmp_path)
    fetch(archive, path)
    (source / "a.txt").write_text("afterwards")
    way = Way(limits=LIMITS, now={}, datasets=None, silence_s=5.0)

    arrivals.fetch(archive, path, way, on_bytes=lambda _: seen.append((path / "a.txt").read_text()))

    assert set(seen) == {"before"}
    assert (path / "a.txt").read_text() == "afterwards"


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("https://host/set/?key=word", "folder"),
        ("https://host/a.zip?folder=x/", "archive"),
        ("obs://bucket/set/", "folder"),
        ("/data/none.zip", "archive"),
    ],
)
def test_the_query_does_not_tell_what_an_input_is(url: str, kind: str, tmp_path: Path) -> None:
    """A signed URL names a folder by its path alone."""
    archive = Archive(url=url, name="a.zip")
    receipts_of = tmp_path / "downloads" / "a.zip"
    receipts_of.parent.mkdir()
    receipts_of.write_bytes(b"x")
    receipts.add(receipts_of, sha256="abc")

    assert inputs.kind_of(archive) == kind
    assert inputs.as_known(archive, tmp_path / "downloads") == archive


def test_a_mount_is_used_in_place(tmp_path: Path) -> None:
    """Nothing of a mount is copied; without its folder there is something to do."""
    (tmp_path / "mounted").mkdir()
    archive = Archive(url=f"{tmp_path}/mounted", name="m", mount=True)
    path = place_of(archive, tmp_path)

    assert path == tmp_path / "mounted"
    assert inputs.state_of(archive, path)[0] == "done"
    path.rmdir()
    assert inputs.state_of(archive, path)[0] == "todo"


def test_beside_a_mount_nothing_is_written(tmp_path: Path) -> None:
    """Nothing is written beside it; where it is missing, that is said."""
    mounted = tmp_path / "mount" / "set"
    mounted.mkdir(parents=True)
    archive = Archive(url=str(mounted), name="set", mount=True)

    fetched = fetch(archive, place_of(archive, tmp_path))

    assert (fetched.kind, fetched.path) == ("mount", mounted)
    assert list(mounted.parent.iterdir()) == [mounted]
    mounted.rmdir()
    with pytest.raises(ObjectMissingError, match="used in place"):
        fetch(archive, place_of(archive, tmp_path))
