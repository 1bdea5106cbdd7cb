"""fetch: every input is here and verified."""

from __future__ import annotations

import hashlib
import logging
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.context import Context
from pipeline.errors import DiskFullError, StorageError
from pipeline.inputs.wanted import Checkpoint
from pipeline.job.job import Archive, Job
from pipeline.stages.extract import extract
from pipeline.stages.fetch import fetch, look
from tests.running import context_of, make_archive, make_job
from tests.servers import WebServer, closed_port, serving


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


def of_place(folder: Path, url: str, **changes: object) -> Context:
    """A context whose archive lies there."""
    job = make_job(folder, url=url)
    archives = (job.dataset.archives[0].model_copy(update=changes),)
    return with_archives(job, archives)


def with_archives(job: Job, archives: tuple[Archive, ...]) -> Context:
    """A context of the job with other inputs."""
    dataset = job.dataset.model_copy(update={"archives": archives})
    return context_of(job.model_copy(update={"dataset": dataset}))


@pytest.fixture
def web(tmp_path: Path) -> Iterator[WebServer]:
    """A web server with an archive."""
    content = make_archive(tmp_path / "a.zip").read_bytes()
    with serving(WebServer(files={"a.zip": content})) as found:
        yield found


def test_a_changed_object_is_noticed_when_it_is_asked(tmp_path: Path, web: WebServer) -> None:
    """A plan trusts receipts; a run asks once, names what has changed and fetches anew."""
    context = of_place(tmp_path, f"{web.url}/a.zip?Signature=word")
    first = fetch.run(context, {})
    web.files["a.zip"] = make_archive(tmp_path / "a.zip", "another").read_bytes()
    web.requests.clear()
    assert look(context).state == "done"
    assert web.requests == []

    fetch.ask(context)

    assert [method for method, _, _ in web.requests] == ["HEAD"]
    assert "it was changed there: " in look(context).text
    assert fetch.run(context, {})["archives"] != first["archives"]
    assert look(context).state == "done"


def test_an_object_that_is_the_same_is_not_fetched(tmp_path: Path, web: WebServer) -> None:
    """One question, no answer that matters."""
    context = of_place(tmp_path, f"{web.url}/a.zip")
    fetch.run(context, {})
    web.requests.clear()

    fetch.ask(context)
    fetch.run(context, {})

    assert [method for method, _, _ in web.requests] == ["HEAD"]


@pytest.mark.parametrize("fault", ["gone", "down"])
def test_a_place_that_does_not_answer_stops_nothing(
    tmp_path: Path, web: WebServer, caplog: pytest.LogCaptureFixture, fault: str
) -> None:
    """What is here and verified stays good; the log says what could not be looked at."""
    context = of_place(tmp_path, f"{web.url}/a.zip?Signature=word")
    fetch.run(context, {})
    if fault == "gone":
        web.files.clear()
    else:
        web.redirect = f"http://127.0.0.1:{closed_port()}/"

    fetch.ask(context)

    (told,) = [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
    assert "/a.zip" in told
    assert "going on with set.zip as it came" in told
    assert "word" not in told
    assert look(context).state == "done"


def test_a_declared_digest_spares_the_question(tmp_path: Path, web: WebServer) -> None:
    """What was found to have the declared sha256 cannot be another one."""
    sha256 = hashlib.sha256(web.files["a.zip"]).hexdigest()
    context = of_place(tmp_path, f"{web.url}/a.zip", sha256=sha256)
    fetch.run(context, {})
    web.requests.clear()

    fetch.ask(context)

    assert web.requests == []
    assert look(context).state == "done"


def test_a_plan_has_a_line_for_each_input(tmp_path: Path) -> None:
    """What is here, what would come and from where, what is used in place."""
    names = ("here.zip", "new.zip")
    for name in names:
        make_archive(tmp_path / "source" / name, name * 1000)
    (tmp_path / "mounted").mkdir()
    archives = [Archive(url=f"{tmp_path}/source/{name}", name=name) for name in names]
    fetch.run(with_archives(make_job(tmp_path), tuple(archives[:1])), {})
    archives.append(Archive(url=f"{tmp_path}/mounted", name="mounted", mount=True))
    archives.append(Archive(url="https://host/far.zip?Signature=word", name="far.zip"))
    context = with_archives(make_job(tmp_path), tuple(archives))

    lines = look(context).text.splitlines()

    assert lines[0] == "here.zip: already here and verified"
    assert lines[1] == f"new.zip: would fetch 21.2 kB from {tmp_path}/source/new.zip"
    assert lines[2] == "mounted: used in place"
    assert lines[3].startswith(
        "far.zip: would fetch it from https://host/far.zip?***, size unknown"
    )


def test_a_plan_says_from_where_a_download_would_go_on(tmp_path: Path, web: WebServer) -> None:
    """What had arrived when a server hung up need not come again."""
    web.files["a.zip"] = make_archive(tmp_path / "a.zip", "x" * 300_000).read_bytes()
    web.every_fault = ("cut", 200_000)
    context = of_place(tmp_path, f"{web.url}/a.zip?Signature=word")
    with pytest.raises(StorageError):
        fetch.run(context, {})

    assert look(context).text == (f"set.zip: would resume at byte 200000 from {web.url}/a.zip?***")


def test_too_little_room_is_told_before_anything_comes(tmp_path: Path) -> None:
    """What has to come and what it unpacks to, at least; the key that chooses the disk is named."""
    huge = tmp_path / "huge.zip"
    with huge.open("wb") as file:
        file.truncate(15 << 40)
    context = of_place(tmp_path, str(huge))

    with pytest.raises(DiskFullError, match=r"cluster\.data_dir.*set\.zip 33\.0 TB"):
        fetch.run(context, {})

    assert list(context.data_dir.rglob("*.part")) == []


def test_a_disk_that_tells_nothing_is_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some network file systems report no blocks at all; that is no reason to refuse."""
    usage = shutil.disk_usage(tmp_path)._replace(total=0, used=0, free=0)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    context = context_of(make_job(tmp_path))

    (fetched,) = fetch.run(context, {})["archives"]

    assert fetched.path.is_file()
    assert extract.run(context, {"archives": (fetched,)})["folders"][0].is_dir()


def test_a_changed_folder_is_fetched_anew(tmp_path: Path) -> None:
    """A file more at the source of a brought folder is noticed, and the folder replaced."""
    brought = tmp_path / "brought"
    brought.mkdir()
    (brought / "a.txt").write_text("a")
    context = of_place(tmp_path, f"{brought}/")
    fetch.run(context, {})
    (brought / "b.txt").write_text("b")
    assert "number of files 1 before, 2 now" in look(context).text

    fetch.run(context, {})

    (folder,) = (p for p in context.datasets.iterdir() if p.name[0] != ".")
    assert sorted(p.name for p in folder.iterdir()) == ["a.txt", "b.txt"]
    assert look(context).state == "done"


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
