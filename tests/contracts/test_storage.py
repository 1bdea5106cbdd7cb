"""What every storage promises, run over each of them."""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import (
    AccessDeniedError,
    ConfigError,
    DependencyError,
    IntegrityError,
    ObjectMissingError,
    StalledError,
    StorageError,
)
from pipeline.storage import (
    ObjectChangedError,
    RangesRefusedError,
    RefusedError,
    Storage,
    is_url,
    masked,
    normalise,
    open_storage,
    split,
)
from tests.servers import WebServer, answering, closed_port, obs_error, serving

STALL_S = 5.0
SECRETS = ("access-key-for-tests", "secret-word-for-tests", "token-for-tests", "signature")
KEYS = ["a b/数据 +%41&=#1.bin", "train/0.png", "train/1.png", "train.txt"]
_count = itertools.count()

# Where sending fails the SDK forgets its connection, and the garbage collector closes it.
SDK_LEAVES_SOCKETS = pytest.mark.filterwarnings(
    "ignore:.*socket:pytest.PytestUnraisableExceptionWarning"
)


@pytest.fixture(params=["local", "obs", "moxing"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    """An empty storage that can be written."""
    if request.param == "local":
        return open_storage(f"file://{tmp_path}/root%20folder", stall_s=STALL_S)
    request.getfixturevalue(f"{request.param}_environment")
    return open_storage(f"s3://bucket/root{next(_count)}", stall_s=STALL_S)


@pytest.fixture
def content(tmp_path: Path) -> Path:
    """A file to store."""
    path = tmp_path / "content"
    path.write_bytes(bytes(range(256)) * 2000)
    return path


@pytest.fixture(params=["local", "obs", "moxing", "http"])
def readable(request: pytest.FixtureRequest, tmp_path: Path, content: Path) -> Iterator[Storage]:
    """A storage in which each of KEYS holds the content."""
    with contextlib.ExitStack() as stack:
        if request.param == "http":
            files = {f"pub/{key}": content.read_bytes() for key in KEYS}
            web = stack.enter_context(serving(WebServer(files)))
            yield open_storage(f"{web.url}/pub?signature=s", stall_s=STALL_S)
            return
        url = f"{tmp_path}/r"
        if request.param != "local":
            request.getfixturevalue(f"{request.param}_environment")
            url = f"obs://bucket/read{next(_count)}/"
        opened = open_storage(url, stall_s=STALL_S)
        for key in KEYS:
            opened.put(key, content)
        yield opened


def quoted(storage: Storage, key: str) -> str:
    """The key as this storage spells it: a web server's are URL text."""
    from urllib.parse import quote

    return quote(key) if storage.url.startswith("http") else key


def test_gets_what_was_put(storage: Storage, content: Path) -> None:
    """What was put is there under its key, and progress adds up to its size."""
    moved: list[int] = []

    entry = storage.put("a/b.bin", content, on_bytes=moved.append)

    assert b"".join(storage.get("a/b.bin")) == content.read_bytes()
    assert entry.size_bytes == sum(moved) == content.stat().st_size
    head = storage.head("a/b.bin")
    assert head
    assert (head.key, head.size_bytes, head.etag) == ("a/b.bin", entry.size_bytes, entry.etag)


def test_replaces(storage: Storage, tmp_path: Path, content: Path) -> None:
    """A second put replaces the object and changes its etag, and an empty file is a file."""
    first = storage.put("key", content)
    (tmp_path / "empty").touch()

    second = storage.put("key", tmp_path / "empty")

    assert (second.size_bytes, list(storage.get("key"))) == (0, [])
    assert first.etag != second.etag


def test_lists_below_a_prefix(storage: Storage, content: Path) -> None:
    """A listing holds every key that starts with the prefix, at any depth, and its size."""
    for key in KEYS:
        storage.put(key, content)

    assert sorted(entry.key for entry in storage.list()) == sorted(KEYS)
    assert sorted(entry.key for entry in storage.list("train/")) == KEYS[1:3]
    assert sorted(entry.key for entry in storage.list("train")) == sorted(KEYS[1:])
    assert {entry.size_bytes for entry in storage.list()} == {content.stat().st_size}
    assert list(storage.list("nothing/here")) == []
    assert all(entry.etag == storage.head(entry.key).etag for entry in storage.list())


def test_temporary_names_are_listed(storage: Storage, content: Path) -> None:
    """Names that are temporary elsewhere are objects like any other here."""
    for key in (".hidden", "_x", "a.part"):
        storage.put(key, content)

    assert sorted(entry.key for entry in storage.list()) == [".hidden", "_x", "a.part"]


def test_deletes(storage: Storage, content: Path) -> None:
    """A deleted key is gone, and deleting it once more is no error."""
    storage.put("key", content)

    storage.delete("key")
    storage.delete("key")

    assert storage.head("key") is None


def test_missing_object(readable: Storage) -> None:
    """Nothing lies under an unknown key: head says None, get says so with the URL."""
    assert readable.head("nothing.bin") is None

    with pytest.raises(ObjectMissingError, match=r"nothing\.bin") as caught:
        list(readable.get("nothing.bin"))

    assert not caught.value.is_passing


@pytest.mark.parametrize("key", KEYS)
def test_reads_odd_keys(readable: Storage, content: Path, key: str) -> None:
    """Keys with spaces, Chinese and signs that mean something in URLs come through."""
    assert b"".join(readable.get(quoted(readable, key))) == content.read_bytes()


@pytest.mark.parametrize("start_byte", [1, 70_001, 511_999, 512_000])
def test_reads_from_a_byte_on(readable: Storage, content: Path, start_byte: int) -> None:
    """A read may begin anywhere, also at the very end."""
    key = KEYS[1]
    entry = readable.head(key)
    assert entry

    got = b"".join(readable.get(key, start_byte=start_byte, etag=entry.etag))

    assert got == content.read_bytes()[start_byte:]


@pytest.mark.parametrize(
    ("start_byte", "end_byte"), [(0, 1), (0, 70_001), (5, 511_999), (9, 512_000)]
)
def test_reads_a_range(readable: Storage, content: Path, start_byte: int, end_byte: int) -> None:
    """A read may also end anywhere, where the place knows ranges; else it says so."""
    key = KEYS[1]
    entry = readable.head(key)
    assert entry
    refusing = pytest.raises(RangesRefusedError, match=r"0\.png")
    knows_ranges = "moxing" not in type(readable).__module__

    with contextlib.nullcontext() if knows_ranges else refusing:
        got = b"".join(readable.get(key, start_byte=start_byte, end_byte=end_byte, etag=entry.etag))

        assert got == content.read_bytes()[start_byte:end_byte]


@pytest.mark.parametrize("start_byte", [0, 5])
def test_changed_range(readable: Storage, start_byte: int) -> None:
    """A range of another version of the object is refused, so that two are never mixed."""
    with pytest.raises((ObjectChangedError, RangesRefusedError)):
        list(readable.get(KEYS[1], start_byte=start_byte, end_byte=9, etag='"another"'))


@pytest.mark.parametrize("fault", ["no range", "no etag", "weak etag"])
def test_http_refuses_ranges_that_it_cannot_trust(content: Path, fault: str) -> None:
    """Without range support or a strong version, a web server's object only comes in one stream."""
    has_range = fault != "no range"
    with serving(WebServer({"f": content.read_bytes()}, knows_range=has_range)) as web:
        storage = open_storage(web.url, stall_s=STALL_S)
        entry = storage.head("f")
        assert entry
        etag = {"no etag": "", "weak etag": f"W/{entry.etag}"}.get(fault, entry.etag)

        with pytest.raises(RangesRefusedError, match="/f: "):
            list(storage.get("f", start_byte=5, end_byte=9, etag=etag))


@pytest.mark.parametrize("start_byte", [0, 5])
def test_changed_object(readable: Storage, start_byte: int) -> None:
    """A read that goes on from another version of the object is refused."""
    with pytest.raises(ObjectChangedError, match="start over") as caught:
        list(readable.get(KEYS[1], start_byte=start_byte, etag='"another"'))

    assert caught.value.is_passing


@pytest.mark.parametrize("key", ["../x", "/x", "a/../../x", "a//b", "", "a\\b", "C:/x"])
def test_local_keys_stay_inside(tmp_path: Path, content: Path, key: str) -> None:
    """A key cannot name a file outside the folder."""
    storage = open_storage(str(tmp_path / "root"), stall_s=STALL_S)

    with pytest.raises(IntegrityError):
        storage.put(key, content)

    assert not (tmp_path / "root").exists()


def test_local_put_is_atomic(tmp_path: Path, content: Path) -> None:
    """A put that fails half-way leaves the old object, and no listing shows the new one's part."""
    storage = open_storage(str(tmp_path / "root"), stall_s=STALL_S)
    storage.put("key", content)
    seen: list[str] = []

    def fail(count: int) -> None:
        del count
        seen.extend(entry.key for entry in storage.list())
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        storage.put("key", Path(__file__), on_bytes=fail)

    assert b"".join(storage.get("key")) == content.read_bytes()
    assert seen == ["key"]
    assert [path.name for path in (tmp_path / "root").iterdir()] == ["key"]


def test_local_links_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    """Folders behind links are listed, and a link to a folder above ends nothing."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/a.txt").write_text("a")
    (tmp_path / "root").mkdir()
    (tmp_path / "root/link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "root/circle").symlink_to(tmp_path / "root")

    storage = open_storage(str(tmp_path / "root"), stall_s=STALL_S)

    assert [entry.key for entry in storage.list()] == ["link/a.txt"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_local_permission(tmp_path: Path, content: Path) -> None:
    """A file that may not be read is named."""
    content.chmod(0)

    with pytest.raises(AccessDeniedError, match="content"):
        list(open_storage(str(tmp_path), stall_s=STALL_S).get("content"))


@pytest.mark.usefixtures("obs_environment")
def test_obs_sends_big_files_in_parts(tmp_path: Path) -> None:
    """A file above the part size arrives whole, and one that fails leaves the old object."""
    from pipeline.storage.obs import ObsStorage

    storage = ObsStorage(f"obs://bucket/parts{next(_count)}", stall_s=STALL_S, part_bytes=5 << 20)
    path = tmp_path / "big"
    path.write_bytes(os.urandom(11 << 20))

    entry = storage.put("big", path)

    assert b"".join(storage.get("big")) == path.read_bytes()
    assert entry.size_bytes == 11 << 20
    assert entry.etag == storage.head("big").etag


@SDK_LEAVES_SOCKETS
@pytest.mark.usefixtures("obs_environment", "sdk_leaves_sockets")
@pytest.mark.parametrize("part_bytes", [5 << 20, 64 << 20])
def test_obs_put_is_atomic(tmp_path: Path, part_bytes: int) -> None:
    """An upload that breaks half-way leaves the old object and no parts that cost money."""
    import obs

    from pipeline.storage.obs import ObsStorage

    root = f"atomic{next(_count)}"
    storage = ObsStorage(f"obs://bucket/{root}", stall_s=STALL_S, part_bytes=part_bytes)
    path = tmp_path / "big"
    path.write_bytes(b"old")
    old = storage.put("big", path)
    path.write_bytes(bytes(8 << 20))
    moved: list[int] = []

    def break_late(count: int) -> None:
        moved.append(count)
        if sum(moved) > 6 << 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        storage.put("big", path, on_bytes=break_late)

    found = storage.head("big")
    assert found
    assert (found.size_bytes, found.etag) == (3, old.etag)
    client = obs.ObsClient("a", "b", server=os.environ["OBS_ENDPOINT"], path_style=True)
    assert not [u for u in client.listMultipartUploads("bucket").body.upload if root in u.key]


@pytest.mark.usefixtures("obs_environment")
def test_obs_lists_page_after_page(content: Path) -> None:
    """More objects than fit in one answer are listed, each once; folders' markers are not."""
    import obs

    from pipeline.storage.obs import ObsStorage

    root = f"pages{next(_count)}"
    storage = ObsStorage(f"obs://bucket/{root}", stall_s=STALL_S, page_keys=3)
    keys = [f"数据 &+{n}" for n in range(10)]
    for key in keys:
        storage.put(key, content)
    client = obs.ObsClient("a", "b", server=os.environ["OBS_ENDPOINT"], path_style=True)
    client.putContent("bucket", f"{root}/folder/", "")

    assert [entry.key for entry in storage.list()] == keys


@pytest.mark.usefixtures("obs_environment")
def test_obs_missing_bucket(content: Path) -> None:
    """A bucket that does not exist is named as that by every operation."""
    storage = open_storage("obs://no-such-bucket/root", stall_s=STALL_S)
    operations = [
        lambda: storage.head("k"),
        lambda: list(storage.list()),
        lambda: list(storage.get("k")),
        lambda: storage.put("k", content),
        lambda: storage.delete("k"),
    ]

    for operation in operations:
        with pytest.raises(ObjectMissingError, match=r"no-such-bucket.*no such bucket") as caught:
            operation()
        assert "OBS_ENDPOINT" in str(caught.value)


@SDK_LEAVES_SOCKETS
@pytest.mark.usefixtures("obs_credentials", "sdk_leaves_sockets")
@pytest.mark.parametrize("size_bytes", [10, 8 << 20])
def test_obs_wrong_credentials(
    tmp_path: Path,
    size_bytes: int,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Refused credentials are told from all else, also amid an upload, and are not shown."""
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("OBS_SECURITY_TOKEN", "token-for-tests")
    path = tmp_path / "file"
    path.write_bytes(b"x" * size_bytes)

    with answering(obs_error(403, "InvalidAccessKeyId")) as endpoint:
        monkeypatch.setenv("OBS_ENDPOINT", endpoint)
        storage = open_storage("obs://bucket", stall_s=STALL_S)
        for operation in (
            lambda: storage.put("k", path),
            lambda: list(storage.get("k")),
            lambda: storage.head("k"),
            lambda: list(storage.list()),
        ):
            with pytest.raises(AccessDeniedError, match="OBS_ACCESS_KEY_ID") as caught:
                operation()
            assert not caught.value.is_passing
            assert not [word for word in SECRETS if word in str(caught.value) + caplog.text]


@pytest.mark.usefixtures("obs_credentials")
def test_obs_refused_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refused connection names the URL, OBS_ENDPOINT and the host, and may pass."""
    port = closed_port()
    monkeypatch.setenv("OBS_ENDPOINT", f"http://127.0.0.1:{port}")

    with pytest.raises(StorageError, match=rf"obs://bucket.*OBS_ENDPOINT.*:{port}") as caught:
        list(open_storage("obs://bucket", stall_s=STALL_S).list())

    assert caught.value.is_passing


@pytest.mark.usefixtures("obs_credentials")
def test_obs_passing_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """An overloaded service may be asked again, and the SDK does not do so by itself."""
    with answering(obs_error(503, "SlowDown")) as endpoint:
        monkeypatch.setenv("OBS_ENDPOINT", endpoint)
        with pytest.raises(StorageError, match=r"answered 503 ?[(]SlowDown") as caught:
            list(open_storage("obs://bucket", stall_s=STALL_S).list())

    assert caught.value.is_passing


@pytest.mark.usefixtures("obs_credentials")
@pytest.mark.parametrize("length", [60, 90])
def test_obs_broken_listing(monkeypatch: pytest.MonkeyPatch, length: int) -> None:
    """A listing that breaks off is an error that may pass, not a shorter listing."""
    listing = b"<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>a</Key>"
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    with answering(head.encode() + listing[:60]) as endpoint:
        monkeypatch.setenv("OBS_ENDPOINT", endpoint)
        with pytest.raises(StorageError, match="obs://bucket") as caught:
            list(open_storage("obs://bucket", stall_s=STALL_S).list())

    assert caught.value.is_passing


@pytest.mark.parametrize("scheme", ["obs", "http"])
@pytest.mark.usefixtures("obs_credentials")
def test_silent_server(monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    """A server that accepts and never answers ends with an error after the stall limit."""
    with answering(None) as address:
        monkeypatch.setenv("OBS_ENDPOINT", address)
        url = "obs://bucket" if scheme == "obs" else address
        with pytest.raises(StalledError, match=r"nothing moved for 0\.2 s") as caught:
            open_storage(url, stall_s=0.2).head("k")

    assert caught.value.is_passing


@pytest.mark.parametrize("missing", ["OBS_ENDPOINT", "OBS_ACCESS_KEY_ID", "OBS_SECRET_ACCESS_KEY"])
@pytest.mark.usefixtures("obs_credentials")
def test_obs_variable_missing(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    """A variable that is not set is named."""
    monkeypatch.setenv("OBS_ENDPOINT", "https://obs.example.com")
    monkeypatch.delenv(missing)

    with pytest.raises(ConfigError, match=missing) as caught:
        open_storage("obs://bucket/a", stall_s=STALL_S)

    assert len(caught.value.mistakes) == 1


@pytest.mark.usefixtures("obs_credentials")
def test_obs_library_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the SDK the error says what to install."""
    import sys

    monkeypatch.setenv("OBS_ENDPOINT", "https://obs.example.com")
    monkeypatch.setitem(sys.modules, "obs", None)

    with pytest.raises(DependencyError, match=r"pip install esdk-obs-python"):
        open_storage("obs://bucket/a", stall_s=STALL_S)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.usefixtures("obs_credentials")
def test_obs_verifies_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK, which by itself checks no certificate, is made to check it and the host's name."""
    from pipeline.storage.obs_client import connect

    monkeypatch.setenv("OBS_ENDPOINT", "obs.example.com")

    client = connect("obs://bucket", stall_s=STALL_S)

    assert client.is_secure
    assert client.context.verify_mode is ssl.CERT_REQUIRED
    assert client.context.check_hostname


def test_http_is_read_only(content: Path) -> None:
    """Writing to a web server is refused with the reason."""
    storage = open_storage("https://host/a?signature=s", stall_s=STALL_S)

    for operation in (
        lambda: storage.put("k", content),
        lambda: storage.delete("k"),
        lambda: storage.list(),
    ):
        with pytest.raises(RefusedError, match="read-only") as caught:
            operation()
        assert "signature" not in str(caught.value)


def test_http_ignored_range(content: Path) -> None:
    """A server that always sends the whole costs time, not correctness."""
    with serving(WebServer({"f": content.read_bytes()}, knows_range=False)) as web:
        got = b"".join(open_storage(web.url, stall_s=STALL_S).get("f", start_byte=300_000))

    assert got == content.read_bytes()[300_000:]


@pytest.mark.parametrize("size_bytes", [0, 1, 1000])
def test_http_refused_head(size_bytes: int) -> None:
    """Where HEAD is refused, as with links signed for GET, a small GET tells the same."""
    with serving(WebServer({"f": b"x" * size_bytes})) as web:
        expected = open_storage(web.url, stall_s=STALL_S).head("f")
        web.knows_head = False

        found = open_storage(web.url, stall_s=STALL_S).head("f")

    assert found
    assert expected
    assert found.size_bytes == expected.size_bytes == size_bytes
    assert found.etag == expected.etag or size_bytes == 0


def test_http_signed_url() -> None:
    """A signed URL's query goes to the server and nowhere else; so do credentials."""
    with serving(WebServer({"a/f.zip": b"content"})) as web:
        host = web.url[len("http://") :]
        root, key = split(f"http://user:secret-word-for-tests@{host}/a/f.zip?signature=s%2B1&b=2")
        storage = open_storage(root, stall_s=STALL_S)
        entry = storage.head(key)
        assert b"".join(storage.get(key)) == b"content"
        web.files.clear()
        with pytest.raises(ObjectMissingError) as caught:
            list(storage.get(key))

    assert {path for _, path, _ in web.requests} == {"/a/f.zip?signature=s%2B1&b=2"}
    assert all(headers["Authorization"] for _, _, headers in web.requests)
    shown = f"{entry} {storage.url} {storage!r} {key} {caught.value}"
    assert not [word for word in SECRETS if word in shown]


def test_http_redirect_keeps_credentials_back() -> None:
    """A redirect is followed with the range, but credentials stay with the first host."""
    with serving(WebServer({"f": b"0123456789"})) as other, serving(WebServer()) as web:
        web.redirect = f"{other.url}/f?signature=t"
        host = web.url[len("http://") :]
        storage = open_storage(f"http://user:secret-word-for-tests@{host}", stall_s=STALL_S)
        got = b"".join(storage.get("x", start_byte=4))
        storage.head("x")

    assert got == b"456789"
    assert [method for method, _, _ in other.requests] == ["GET", "HEAD"]
    assert not any("Authorization" in headers for _, _, headers in other.requests)


@pytest.mark.parametrize(
    ("status", "kind", "is_passing"),
    [
        (403, AccessDeniedError, False),
        (410, ObjectMissingError, False),
        (400, RefusedError, False),
        (429, StorageError, True),
        (500, StorageError, True),
        (503, StorageError, True),
    ],
)
def test_http_status(status: int, kind: type[StorageError], is_passing: bool) -> None:
    """Each answer becomes the error that says whether trying again may help."""
    with serving(WebServer({"f": b"x"}, every_fault=status)) as web:
        storage = open_storage(web.url, stall_s=STALL_S)

        with pytest.raises(kind, match=rf"/f: answered {status}") as caught:
            list(storage.get("f"))

    assert caught.value.is_passing is is_passing


@pytest.mark.parametrize("fault", [("cut", 700), ("stall", 700)])
def test_http_short_body(fault: tuple[str, int]) -> None:
    """A body that ends early or stands still is an error after what had come."""
    got = []
    with serving(WebServer({"f": b"x" * 1000}, every_fault=fault)) as web:
        storage = open_storage(web.url, stall_s=0.3)

        with pytest.raises(StorageError, match=r"700 of 1000|nothing moved for 0\.3 s") as caught:
            got.extend(storage.get("f"))

    assert b"".join(got) == b"x" * 700
    assert caught.value.is_passing


def test_unknown_scheme() -> None:
    """A scheme that nothing here reads is refused with those that are, without its secrets."""
    with pytest.raises(ConfigError, match="ftp") as caught:
        open_storage("ftp://user:secret-word-for-tests@host/a?signature=s", stall_s=STALL_S)

    assert not [word for word in SECRETS if word in str(caught.value)]


@pytest.mark.parametrize(
    ("url", "root", "key"),
    [
        ("s3://bucket/a/b.zip", "obs://bucket/a", "b.zip"),
        ("s3:///bucket/b.zip", "obs://bucket", "b.zip"),
        ("obs://bucket/a/", "obs://bucket/a", ""),
        ("obs://bucket", "obs://bucket", ""),
        ("/data/a.zip", "/data", "a.zip"),
        ("/a.zip", "/", "a.zip"),
        ("a.zip", ".", "a.zip"),
        ("file:///data/a%20b.zip", "/data", "a b.zip"),
        ("https://host/a/b.zip?s=1/2", "https://host/a?s=1/2", "b.zip"),
        ("https://host/a/?id=3", "https://host/a/?id=3", ""),
    ],
)
def test_split(url: str, root: str, key: str) -> None:
    """An object's URL gives the root to open and the key below it."""
    assert split(url) == (root, key)


@given(
    st.sampled_from(["", "/", "file:///", "obs://", "s3:///", "s3://", "http://", "HTTPS://u:p@"]),
    st.text(st.characters(exclude_categories=("Cs",))),
)
def test_urls_normalise_to_themselves(scheme: str, rest: str) -> None:
    """One normalisation is enough, and a masked URL stays masked."""
    with contextlib.suppress(ValueError):  # what urllib calls no URL
        once = normalise(scheme + rest)
        # A path on the disk may look like a URL once it is decoded.
        assert normalise(once) == once or scheme.startswith("file") or is_url(rest)
        assert masked(masked(once)) == masked(once)


@given(
    st.text("ab:/?#@", max_size=6).map(lambda noise: f"https://user:SECRET{noise}@host/p?q=SECRET")
)
def test_masked_urls_hold_no_secret(url: str) -> None:
    """However credentials are spelled, they are not shown."""
    assert "SECRET" not in masked(url) or "/" in url[len("https://") :].partition("@host")[0]


def raw(status: str, body: bytes = b"", **headers: object) -> bytes:
    """An answer as it goes over the wire."""
    lines = [f"HTTP/1.1 {status}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@pytest.mark.parametrize("status", [400, 403, 404, 405, 500, 501])
def test_http_head_that_fails(status: int) -> None:
    """Whatever HEAD is refused with, a GET of one byte has the last word."""
    with serving(WebServer({"f": b"content"}, head_status=status)) as web:
        found = open_storage(web.url, stall_s=STALL_S).head("f")
        assert open_storage(web.url, stall_s=STALL_S).head("g") is None

    assert found
    assert found.size_bytes == 7


@pytest.mark.parametrize("length", ["0", "abc", "-1", "²"])
def test_http_head_that_lies(length: str) -> None:
    """A HEAD that tells no size is not believed; a GET tells it."""
    with serving(WebServer({"f": b"content"}, head_length=length)) as web:
        found = open_storage(web.url, stall_s=STALL_S).head("f")

    assert found
    assert found.size_bytes == 7


def test_http_rest_without_a_version() -> None:
    """The rest of a whole that has no version might be that of another; it is not gone on with."""
    with serving(WebServer({"f": b"content"}, knows_range=False, has_etag=False)) as web:
        storage = open_storage(web.url, stall_s=STALL_S)

        assert b"".join(storage.get("f", etag='"a"')) == b"content"
        with pytest.raises(ObjectChangedError):
            list(storage.get("f", start_byte=3, etag='"a"'))


@pytest.mark.parametrize("url", ["http://a b/f", "http://host:port/f", "http://" + "é" * 70 + "/f"])
def test_http_url_that_cannot_be_asked(url: str) -> None:
    """A URL that no server can be asked by is named, and not tried again."""
    with pytest.raises(RefusedError, match=r"http://.*/f: is no URL that can be asked for"):
        list(open_storage(split(url)[0], stall_s=STALL_S).get("f"))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (raw("200 OK", b"abc", Content_Length="abc"), "Content-Length of 'abc'"),
        (raw("200 OK", b"abc", Content_Encoding="gzip", Content_Length=3), "Encoding 'gzip'"),
        (raw("302 Found", Location="/f", Content_Length=0), "redirecting in a circle"),
        (raw("302 Found", Location="ftp://h/f", Content_Length=0), "nowhere that can be followed"),
    ],
)
def test_http_answers_that_are_no_good(answer: bytes, words: str) -> None:
    """What will be no better the next time is refused, by its name."""
    with answering(answer) as url, pytest.raises(RefusedError, match=words) as caught:
        list(open_storage(url, stall_s=STALL_S).get("f"))

    assert str(caught.value).startswith(f"{url}/f: ")


def test_http_packed_archives_are_themselves() -> None:
    """A server that calls the packing of a .tar.gz its encoding sends the archive as it is."""
    packed = raw("200 OK", b"abc", Content_Encoding="x-gzip", Content_Length=3)
    with answering(packed) as url:
        got = b"".join(open_storage(url, stall_s=STALL_S).get("f.tar.gz"))

    assert got == b"abc"


def test_http_object_named_by_its_query() -> None:
    """The slash before the query goes to the server as it was written."""
    with serving(WebServer({"download/": b"content"})) as web:
        root, key = split(f"{web.url}/download/?id=3")
        assert b"".join(open_storage(root, stall_s=STALL_S).get(key)) == b"content"

    assert web.requests[0][1] == "/download/?id=3"


@pytest.mark.usefixtures("obs_credentials")
def test_obs_wrong_part(monkeypatch: pytest.MonkeyPatch) -> None:
    """A part that is not the one asked for is refused before a byte of it is taken."""
    pytest.importorskip("obs")
    part = raw("206 Partial", b"abc", Content_Length=3, Content_Range="bytes 0-2/9")
    with answering(part) as url:
        monkeypatch.setenv("OBS_ENDPOINT", url)
        with pytest.raises(StorageError, match="'bytes 0-2/9' instead of the one from byte 3 on"):
            list(open_storage("obs://bucket", stall_s=STALL_S).get("k", start_byte=3))
