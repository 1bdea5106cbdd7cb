"""The export while a run goes on."""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline import manifest, publish
from pipeline.manifest import Digests, Manifest, artifacts_in
from pipeline.publish import LiveExport, pace
from pipeline.storage import ignore_bytes
from pipeline.transfer import Limits
from tests.moxing_double import moxing_double
from tests.publish.places import RUN_ID, WatchedStorage, begun, make_place
from tests.running import files_below

KILOBYTE = 1000


class Site:
    """A run folder, its place, and the live export between them."""

    def __init__(self, folder: Path, *, attempt: int = 1) -> None:
        self.folder = folder / "outputs" / RUN_ID
        (self.folder / "checkpoints").mkdir(parents=True, exist_ok=True)
        self.place, self.storage = make_place(folder)
        self.live = LiveExport(
            self.place, self.folder, describe=lambda: begun(attempt), digests=Digests()
        )

    @property
    def there(self) -> Path:
        """The place as a folder."""
        return Path(self.storage.url)

    def save(self, number: int, size_bytes: int = 10 * KILOBYTE) -> None:
        """One more checkpoint with its record and the index, as training saves them."""
        name = self.folder / "checkpoints" / f"net-{number}.ckpt"
        name.write_bytes(os.urandom(size_bytes))
        name.with_suffix(".json").write_text(f"record {number}")
        index = name.with_name("index.json")
        index.write_text(f"last is {number}")
        with (self.folder / "metrics.jsonl").open("a") as file:
            file.write(f"row {number} {'x' * 80}\n")
        for path in (name, name.with_suffix(".json"), index):
            self.live.saved(path)

    def prune(self, number: int) -> None:
        """The checkpoint and its record are gone."""
        for suffix in (".ckpt", ".json"):
            path = self.folder / "checkpoints" / f"net-{number}{suffix}"
            path.unlink()
            self.live.pruned(path)

    def names(self) -> set[str]:
        """What the manifest at the place names."""
        found = manifest.read(self.there)
        return {artifact.path for artifact in found.artifacts} if found else set()

    def attempt(self) -> int:
        """Whose manifest lies at the place."""
        found = manifest.read(self.there)
        return found.attempt if found else 0

    def end(self) -> Manifest:
        """The final export."""
        self.live.finish()
        artifacts = artifacts_in(self.folder, Digests())
        publish.send(self.place, self.folder, artifacts, attempt=1, on_bytes=ignore_bytes)
        final = begun().ended("complete", artifacts, None)
        publish.send_manifest(self.place, self.folder, final)
        return final


@pytest.fixture(autouse=True)
def promptness(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Accounts follow every checkpoint, however small, but where their share is the question."""
    if "bytes" not in request.node.name:
        monkeypatch.setattr(pace, "ACCOUNTS_SHARE", 100.0)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A run that begins."""
    made = Site(tmp_path)
    yield made
    made.storage.open.set()
    made.storage.is_refusing = False
    made.live.finish()


def wait_until(holds: Callable[[], bool], longest_s: float = 5.0) -> None:
    """Returns when it holds."""
    ends_s = time.monotonic() + longest_s
    while not holds():
        assert time.monotonic() < ends_s, "it did not come true in time"
        time.sleep(0.01)


def checkpoints(*numbers: int) -> set[str]:
    """The names of these checkpoints and their records."""
    return {f"checkpoints/net-{n}{suffix}" for n in numbers for suffix in (".ckpt", ".json")}


def test_what_is_saved_is_there_with_a_manifest_that_can_be_gone_on_from(site: Site) -> None:
    """It says running, and names what lies there with its size and digest."""
    site.save(1)
    wait_until(lambda: checkpoints(1) <= site.names())

    found = manifest.read(site.there)

    assert found is not None
    assert (found.status, found.finished) == ("running", None)
    assert site.names() == {*checkpoints(1), "checkpoints/index.json", "metrics.jsonl"}
    assert list(found.artifacts) == [
        a for a in artifacts_in(site.there, Digests()) if a.path != "manifest.json"
    ]


def test_nothing_moves_twice_and_the_end_goes_on_from_there(site: Site) -> None:
    """Each checkpoint is put once; the final export moves only what is left."""
    for number in (1, 2, 3):
        site.save(number)
        wait_until(lambda n=number: checkpoints(n) <= site.names())  # type: ignore[misc]

    final = site.end()

    puts = [key for verb, key in site.storage.calls if verb == "put"]
    assert sorted(k for k in puts if "net-" in k) == sorted(checkpoints(1, 2, 3))
    assert manifest.read(site.there) == final
    assert set(files_below(site.there)) == {*site.names(), "manifest.json"}


@pytest.mark.slow
def test_bytes_grow_with_what_is_new(site: Site) -> None:
    """Over 20 epochs, and over 80, at most 1.1 times what was made is sent."""
    made_bytes = 0
    for number in range(1, 81):
        site.save(number, 100 * KILOBYTE)
        made_bytes += 100 * KILOBYTE
        wait_until(lambda n=number: (site.there / f"checkpoints/net-{n}.json").is_file())  # type: ignore[misc]
        if number == 20:
            assert site.storage.put_bytes <= 1.1 * made_bytes
    site.end()

    assert site.storage.put_bytes <= 1.1 * made_bytes


def test_saving_takes_no_time_while_the_place_stands_still(site: Site) -> None:
    """Whoever saves waits for nobody."""
    site.storage.open.clear()
    site.save(1)
    assert site.storage.arrived.wait(5)
    started = time.perf_counter()

    for _ in range(1000):
        site.live.saved(site.folder / "checkpoints" / "net-1.ckpt")

    # The place stands still for as long as the test goes on.
    assert time.perf_counter() - started < 30


def test_a_pruned_checkpoint_goes_after_its_successor_is_there(site: Site) -> None:
    """The order at the place: successor, a manifest without the old one, then the removal."""
    site.save(1)
    wait_until(lambda: checkpoints(1) <= site.names())
    site.storage.open.clear()
    site.save(2)
    site.prune(1)
    time.sleep(0.2)
    assert (site.there / "checkpoints" / "net-1.ckpt").is_file()
    site.storage.open.set()

    wait_until(lambda: not (site.there / "checkpoints" / "net-1.json").exists())

    calls = site.storage.calls
    removal = calls.index(("delete", "checkpoints/net-1.ckpt"))
    assert ("put", "checkpoints/net-2.ckpt") in calls[:removal]
    assert calls[removal - 1] == ("put", "manifest.json")
    assert not site.names() & checkpoints(1)


@pytest.mark.slow
def test_the_bytes_that_a_manifest_names_stay_until_the_next_one(site: Site) -> None:
    """A file that is replaced goes right before a manifest, not with the checkpoints."""
    for number in range(1, 10):
        site.save(number)
        wait_until(lambda n=number: (site.there / f"checkpoints/net-{n}.json").is_file())  # type: ignore[misc]
        # What changes while it is sent is named by no manifest; that is another test's matter.
        time.sleep(0.3)
    site.live.finish()

    puts = [key for verb, key in site.storage.calls if verb == "put"]
    assert puts.count("manifest.json") < 9
    while puts.count("manifest.json") > 1:
        # From one manifest to the next: what it replaces comes after everything else.
        puts = puts[puts.index("manifest.json") + 1 :]
        until_next = puts[: puts.index("manifest.json")]
        after_index = until_next[until_next.index("checkpoints/index.json") :]
        assert not any(key.endswith(".ckpt") for key in after_index)


def test_what_is_pruned_before_its_turn_is_never_sent(site: Site) -> None:
    """A place that cannot keep up gets the newest."""
    site.storage.open.clear()
    site.save(1)
    assert site.storage.arrived.wait(5)
    for number in (2, 3):
        site.save(number)
    site.prune(2)
    site.storage.open.set()

    wait_until(lambda: checkpoints(3) <= site.names())

    assert not {key for _, key in site.storage.calls} & checkpoints(2)


def test_only_what_this_run_has_sent_is_removed(site: Site) -> None:
    """A file of the same name that somebody else put there stays."""
    theirs = site.there / "checkpoints" / "net-7.ckpt"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("theirs")
    site.live.pruned(site.folder / "checkpoints" / "net-7.ckpt")
    site.save(8)

    wait_until(lambda: checkpoints(8) <= site.names())
    site.end()

    assert theirs.read_text() == "theirs"


def test_a_place_that_cannot_be_reached_is_told_once(
    site: Site, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One warning however long it lasts, one line when it is over, and then all is there."""
    monkeypatch.setattr(pace, "FIRST_WAIT_S", 0.01)
    monkeypatch.setattr(pace, "LONGEST_WAIT_S", 0.02)
    logging.getLogger("pipeline").propagate = True
    site.storage.is_refusing = True
    with caplog.at_level(logging.INFO):
        site.save(1)
        site.save(2)
        wait_until(lambda: site.storage.asked > 5)
        site.storage.is_refusing = False
        wait_until(lambda: checkpoints(1, 2) <= site.names() and len(caplog.records) > 1)

    told = [(r.levelname, r.getMessage()) for r in caplog.records]
    assert [level for level, _ in told] == ["WARNING", "INFO"]
    assert "cannot be reached" in told[0][1]
    assert "can be written again" in told[1][1]


def test_it_waits_longer_and_longer() -> None:
    """A place that is gone for a day is asked once a minute, not once a second."""
    outage = pace.Outage("there")

    waits = [outage.goes_on(OSError("x")) for _ in range(9)]

    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_a_manifest_of_another_attempt_gives_way_at_once(tmp_path: Path) -> None:
    """Before any file of this attempt comes; what it names goes after the final manifest."""
    older = Site(tmp_path)
    older.save(1)
    older.save(2)
    older.end()
    for path in (older.folder / "checkpoints").iterdir():
        path.unlink()
    (older.folder / ".exported.json").unlink()
    site = Site(tmp_path, attempt=2)

    site.save(1)
    wait_until(lambda: site.attempt() == 2 and checkpoints(1) <= site.names())

    found = manifest.read(site.there)
    assert found is not None
    assert found.status == "running"
    assert site.storage.calls[0] == ("put", "manifest.json")
    assert not site.names() & checkpoints(2)
    assert (site.there / "checkpoints" / "net-2.ckpt").is_file()
    site.live.finish()
    artifacts = artifacts_in(site.folder, Digests())
    publish.send(site.place, site.folder, artifacts, attempt=2, on_bytes=ignore_bytes)
    publish.send_manifest(site.place, site.folder, begun(2).ended("complete", artifacts, None))
    assert not (site.there / "checkpoints" / "net-2.ckpt").exists()


def test_what_changes_on_its_way_is_not_vouched_for(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The manifest names a file only with the bytes that lie there; then it is sent again."""
    state = site.folder / "checkpoints" / "state.ckpt"
    state.write_text("one" * KILOBYTE)
    put = WatchedStorage.put
    changes = iter(["two" * KILOBYTE])

    def replace_meanwhile(self: WatchedStorage, key: str, path: Path, **rest: object) -> object:
        found = put(self, key, path, **rest)  # type: ignore[arg-type]
        for content in changes if key.endswith("state.ckpt") else ():
            state.write_text(content)
        return found

    monkeypatch.setattr(WatchedStorage, "put", replace_meanwhile)
    site.live.saved(state)

    wait_until(lambda: "checkpoints/state.ckpt" in site.names())

    found = manifest.read(site.there)
    assert found is not None
    (artifact,) = [a for a in found.artifacts if a.path == "checkpoints/state.ckpt"]
    assert artifact.sha256 == Digests().of(state)
    assert (site.there / "checkpoints" / "state.ckpt").read_text() == "two" * KILOBYTE


def test_draining_sends_the_rest_and_names_what_is_there(site: Site) -> None:
    """With time enough, everything asked for."""
    site.save(1)
    names = [*checkpoints(1), "metrics.jsonl"]

    found = site.live.drain(names, until_s=time.monotonic() + 5)

    assert [a.path for a in found] == sorted(names)


def test_draining_a_place_that_stands_still_ends_in_time(site: Site) -> None:
    """What was verified by then is named, the rest is not, and nothing comes afterwards."""
    site.save(1)
    wait_until(lambda: checkpoints(1) <= site.names())
    site.storage.open.clear()
    site.storage.arrived.clear()
    site.save(2)
    assert site.storage.arrived.wait(5)
    started = time.monotonic()

    found = site.live.drain([*checkpoints(1, 2)], until_s=started + 0.3)

    # The place stands still for as long as the test goes on.
    assert time.monotonic() - started < 30
    assert {a.path for a in found} == checkpoints(1)
    before = len(site.storage.calls)
    site.storage.open.set()
    time.sleep(0.2)
    assert len(site.storage.calls) == before
    assert not [t for t in threading.enumerate() if t.name == "exports"]


def test_draining_to_a_place_that_cannot_be_reached_is_bounded(site: Site) -> None:
    """Nothing is named, and nothing is raised: the manifest's turn comes next."""
    site.storage.is_refusing = True

    assert site.live.drain(["metrics.jsonl"], until_s=time.monotonic() + 0.5) == ()


@pytest.mark.slow
def test_a_hanging_moxing_does_not_hold_up_an_ending(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The call under way is given up when the time is over; nothing is named."""
    with moxing_double(tmp_path / "world", monkeypatch) as double:
        limits = Limits(parallel=2, retries=0, stall_s=8.0)
        place = publish.open_place("obs://bucket/results", RUN_ID, limits)
        folder = tmp_path / "outputs"
        folder.mkdir()
        (folder / "one.txt").write_text("one")
        double.fail(hang=-1)
        live = LiveExport(place, folder, describe=begun, digests=Digests())
        live.saved(folder / "one.txt")
        wait_until(lambda: bool(double.calls("copy")), 20)
        started = time.monotonic()

        found = live.drain(["one.txt"], until_s=started + 0.5)

        assert found == ()
        # The call itself would be given up after 8 s.
        assert time.monotonic() - started < 6
        double.fail()


@pytest.mark.slow
def test_moxing_sends_while_the_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is saved lies in the bucket, with the manifest that names it; what is pruned goes."""
    with moxing_double(tmp_path / "world", monkeypatch) as double:
        limits = Limits(parallel=2, retries=0, stall_s=8.0)
        place = publish.open_place("obs://bucket/results", RUN_ID, limits)
        folder = tmp_path / "outputs"
        folder.mkdir()
        live = LiveExport(place, folder, describe=begun, digests=Digests())
        there = double.bucket / "results" / RUN_ID
        for name in ("one.txt", "two.txt"):
            (folder / name).write_text(name * KILOBYTE)
            live.saved(folder / name)
        wait_until(lambda: manifest.read(there) is not None, 20)
        (folder / "one.txt").unlink()
        live.pruned(folder / "one.txt")
        (folder / "three.txt").write_text("three" * KILOBYTE)
        live.saved(folder / "three.txt")

        wait_until(lambda: not (there / "one.txt").exists(), 20)

        found = manifest.read(there)
        assert found is not None
        assert [a.path for a in found.artifacts] == ["three.txt", "two.txt"]
        live.finish()


def test_the_next_start_removes_what_was_pruned_unheard(tmp_path: Path) -> None:
    """Killed between pruning here and there, the next live export makes it good."""
    first = Site(tmp_path)
    first.save(1)
    wait_until(lambda: checkpoints(1) <= first.names())
    first.live.finish()
    for path in (first.folder / "checkpoints").glob("net-1*"):
        path.unlink()
    again = Site(tmp_path)

    again.save(2)

    wait_until(lambda: not (again.there / "checkpoints" / "net-1.ckpt").exists())
    wait_until(lambda: checkpoints(2) <= again.names())
    again.live.finish()
    assert json.loads((again.folder / ".exported.json").read_text())["sent"].keys() == again.names()
