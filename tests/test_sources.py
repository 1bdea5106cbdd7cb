"""What a source tells of itself, cheaply."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from pipeline.errors import StorageError
from pipeline.inputs import sources
from pipeline.storage import open_storage
from tests.servers import WebServer, serving


def test_a_local_file_is_known_by_size_and_time(tmp_path: Path) -> None:
    """Under a path as under a file:// URL, and what is not there has no version."""
    path = tmp_path / "数据 a.zip"
    path.write_bytes(b"content")
    before = sources.here(str(path))

    assert sources.here(path.as_uri()) == before
    os.utime(path, (1, 1))
    assert sources.difference(before, sources.here(str(path))) == "written at another time"
    path.write_bytes(b"longer content")
    assert sources.difference(before, sources.here(str(path))) == "7 bytes before, 14 now"
    assert sources.here(f"{tmp_path}/none") is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda folder: (folder / "b" / "new").write_text("x"), "number of files 2 before, 3 now"),
        (lambda folder: (folder / "b" / "c").write_text("longer"), "are others"),
        (lambda folder: os.utime(folder / "a", (1, 1)), "are others"),
        (lambda folder: (folder / "a").rename(folder / "z"), "are others"),
    ],
)
def test_a_local_folder_is_known_by_its_files(tmp_path: Path, change: object, words: str) -> None:
    """One more file, another size, another time and another name are all noticed."""
    (tmp_path / "b").mkdir()
    for name in ("a", "b/c"):
        (tmp_path / name).write_text("x")
    before = sources.here(str(tmp_path))

    change(tmp_path)

    assert words in sources.difference(before, sources.here(str(tmp_path)))


def test_a_big_folder_costs_no_long_listing(tmp_path: Path) -> None:
    """Of a local folder with too many files the time alone counts."""
    for number in range(sources.MOST_FILES + 1):
        (tmp_path / str(number)).touch()

    assert sources.here(str(tmp_path)) == {"mtime_ns": tmp_path.stat().st_mtime_ns}


def test_a_web_server_is_asked_for_a_files_etag() -> None:
    """Another content has another etag; what is gone has no version."""
    with serving(WebServer(files={"a.zip": b"content"})) as web:
        before = sources.now(f"{web.url}/a.zip", is_folder=False, stall_s=5)
        web.files["a.zip"] = b"CONTENT"
        after = sources.now(f"{web.url}/a.zip", is_folder=False, stall_s=5)

        assert sources.now(f"{web.url}/none", is_folder=False, stall_s=5) is None
    assert sources.difference(before, after).startswith('etag "9a0364b9e99bb480dd25e1f0284c8555"')


def test_who_does_not_answer_is_not_asked_again() -> None:
    """A stalled server costs the stall limit once."""
    with serving(WebServer(files={"a.zip": b"x"}, redirect="http://127.0.0.1:9/")) as web:
        started = time.monotonic()

        with pytest.raises(StorageError):
            sources.now(f"{web.url}/a.zip", is_folder=False, stall_s=1)

    assert time.monotonic() - started < 3


def test_what_only_one_side_tells_is_no_difference() -> None:
    """A server that stops sending etags has not changed its files."""
    assert sources.difference({"size_bytes": 3, "etag": "a"}, {"size_bytes": 3}) == ""
    assert sources.difference(None, {"size_bytes": 3}) == ""
    assert sources.of_object(-1, "") == {}
    assert not sources.is_comparable({"etag": "a"}, {"size_bytes": 3})
    assert sources.is_comparable({"etag": "a"}, {"etag": "b"})


def test_hosts_are_told_apart_without_their_credentials() -> None:
    """What one bucket does not answer, another may."""
    places = ["obs://b/x/y.zip", "s3://b/z", "https://me:word@Host/a?k=v", "https://host/b"]

    assert [sources.host_of(url) for url in places] == ["obs://b"] * 2 + ["https://host"] * 2


def test_a_folder_in_a_storage_is_listed_once(tmp_path: Path) -> None:
    """The listing's order does not count."""
    for name in ("b", "a"):
        (tmp_path / name).write_text(name)
    rows = [(e.key, e.size_bytes, e.etag) for e in open_storage(str(tmp_path), stall_s=1).list()]

    assert sources.of_listing(rows) == sources.of_listing(reversed(rows))
    assert sources.of_listing([]) is None
