"""extract: every archive is a folder, complete or absent."""

from __future__ import annotations

import hashlib
import logging
import os
import re
import shutil
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.context import Context
from pipeline.disk import files
from pipeline.errors import ArchiveError, ConfigError, DamagedArchiveError, IntegrityError
from pipeline.inputs import receipts
from pipeline.job.job import Archive, Dataset, Job
from pipeline.stages.extract import extract, look
from pipeline.stages.fetch import fetch
from tests.running import context_of, files_below, go, make_archive, make_job


@pytest.fixture
def context(tmp_path: Path) -> Context:
    """A context in which the archive has been fetched."""
    found = context_of(make_job(tmp_path))
    found.products.update(fetch.run(found, {}))
    return found


def unpacked(context: Context) -> Path:
    """The folder that the stage leaves behind."""
    (folder,) = extract.run(context, context.products)["folders"]
    assert isinstance(folder, Path)
    return folder


def test_an_archive_becomes_a_folder_and_a_link(context: Context) -> None:
    """The folder bears name and digest, the link the name alone; only members are in it."""
    assert look(context).state == "todo"

    folder = unpacked(context)

    sha256 = context.products["archives"][0].sha256
    assert folder == context.datasets / f"set-{sha256[:8]}"
    assert sorted(files_below(folder)) == ["test/b.txt", "train/a.txt"]
    assert (context.data_dir / "set").resolve() == folder.resolve()
    assert not (context.data_dir / "set").readlink().is_absolute()
    assert context.facts == {"members": 2, "total_bytes": 9}
    assert look(context).facts == context.facts


def test_a_second_time_nothing_is_done(context: Context, caplog: pytest.LogCaptureFixture) -> None:
    """What is unpacked is neither unpacked nor logged again."""
    caplog.set_level(logging.INFO, "pipeline")
    unpacked(context)
    caplog.clear()

    unpacked(context)

    assert caplog.records == []
    assert look(context).state == "done"


def test_a_kill_before_the_receipt(context: Context) -> None:
    """A folder that was renamed into place is whole; its receipt comes to tell the same."""
    folder = unpacked(context)
    before = receipts.last(folder)
    receipts.table_of(folder).unlink()
    assert "receipt" in look(context).text

    assert unpacked(context) == folder

    assert look(context).state == "done"
    assert receipts.last(folder) == before


@pytest.mark.parametrize("lost", ["train", "train/a.txt"])
def test_what_went_from_a_folder_comes_back(context: Context, lost: str) -> None:
    """A file or folder near the top that is gone is noticed, named, and all is unpacked again."""
    folder = unpacked(context)
    path = folder / lost
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert "would unpack it again: " in look(context).text

    unpacked(context)

    assert sorted(files_below(folder)) == ["test/b.txt", "train/a.txt"]
    assert look(context).state == "done"
    assert [p.name for p in context.datasets.iterdir() if ".tmp" in p.name] == []


def test_what_others_add_to_a_folder_stays(context: Context) -> None:
    """A cache beside the data is no damage."""
    folder = unpacked(context)
    (folder / "cache.bin").write_bytes(b"x")

    assert look(context).state == "done"


@pytest.mark.parametrize(
    ("limit", "said"),
    [
        ({"members": 1}, "2 members, but dataset.limits.members allows 1"),
        ({"bytes": 8}, "9 B, but dataset.limits.bytes allows 8 B"),
        ({"ratio": 0.01}, "9 B, but dataset.limits.ratio allows 0.01 times"),
    ],
)
def test_a_lowered_limit_refuses_what_is_unpacked(
    context: Context, limit: dict[str, float], said: str
) -> None:
    """It is noticed beforehand and named; another job may still use the folder."""
    folder = unpacked(context)
    limits = context.job.dataset.limits.model_copy(update=limit)
    strict = with_dataset(context, limits=limits)

    outlook = look(strict)

    assert (outlook.state, said in outlook.text) == ("changed", True)
    with pytest.raises(ArchiveError, match=re.escape(said)):
        unpacked(strict)
    assert look(context).state == "done"
    assert folder.is_dir()


def test_a_lowered_limit_leaves_a_finished_run_alone(tmp_path: Path) -> None:
    """The job is refused at the key to turn; the record of what was finished stays."""
    job = make_job(tmp_path)
    folder = go(job).folder
    record = (folder / "manifest.json").read_bytes()
    limits = job.dataset.limits.model_copy(update={"members": 1, "ratio": 0.01})
    dataset = job.dataset.model_copy(update={"limits": limits})

    with pytest.raises(ConfigError, match=r"^dataset\.limits\.members: set\.zip: it has 2 members"):
        go(job.model_copy(update={"dataset": dataset}))

    assert (folder / "manifest.json").read_bytes() == record
    assert go(job).was_done


def test_another_content_is_named(context: Context) -> None:
    """The archive of this name has another digest now; the old folder is left to others."""
    before = unpacked(context)
    make_archive(Path(context.job.dataset.archives[0].url), "another")
    context.products.update(fetch.run(context, {}))

    assert f"its content is another (sha256 {before.name[-8:]}… before" in look(context).text
    folder = unpacked(context)

    assert folder != before
    assert (context.data_dir / "set").resolve() == folder.resolve()
    assert before.is_dir()


def test_an_archive_that_was_replaced_is_not_taken(context: Context, tmp_path: Path) -> None:
    """Another run may have fetched something else under the same name meanwhile."""
    other = make_archive(tmp_path / "b" / "set.zip", "other")
    fetch.run(context_of(make_job(tmp_path, url=str(other))), {})

    with pytest.raises(IntegrityError, match="another run has replaced it"):
        unpacked(context)

    assert not any(p.name.startswith("set-") for p in context.datasets.iterdir())


def with_dataset(context: Context, **changes: object) -> Context:
    """The same context with other values in the job's dataset."""
    dataset = context.job.dataset.model_copy(update=changes)
    return replace(context, job=context.job.model_copy(update={"dataset": dataset}))


def test_an_archive_goes_only_when_the_disk_has_its_folder(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cut of power after that must find every file written; a kept archive needs no waiting."""
    path, synced = context.products["archives"][0].path, []
    sync_all = files.sync_all

    def spy(folder: Path, paths: Iterable[Path]) -> None:
        names = sorted(found.name for found in paths)
        synced.append((path.exists(), folder.name, names))
        sync_all(folder, [])

    monkeypatch.setattr(files, "sync_all", spy)

    folder = unpacked(context)
    assert synced == []
    unpacked(with_dataset(context, keep_archives=False))

    table = receipts.table_of(folder).name
    inside = ["a.txt", "b.txt", "test", "train"]
    assert synced == [(True, folder.name, sorted([table, "datasets", folder.name, *inside]))]
    assert not path.exists()


def test_a_dropped_archive_is_not_fetched_again(context: Context) -> None:
    """While its folder is there, nothing is missing; the receipt still knows its digest."""
    context = with_dataset(context, keep_archives=False)
    archive = context.products["archives"][0]
    folder = unpacked(context)

    fetched = fetch.look(context)

    receipt = receipts.last(archive.path)
    assert not archive.path.exists()
    assert fetched.state == "done"
    assert fetched.products["archives"] == (archive,)
    assert (receipt["sha256"], receipt["dropped"]) == (archive.sha256, True)
    assert look(context).state == "done"
    assert unpacked(context) == folder


def test_a_dropped_archive_is_fetched_again_where_its_folder_is_gone(context: Context) -> None:
    """The plan says why; afterwards everything is as it was, and the archive is gone again."""
    context = with_dataset(context, keep_archives=False)
    folder = unpacked(context)
    shutil.rmtree(folder)
    assert "it was dropped once it was unpacked" in fetch.look(context).text

    context.products.update(fetch.run(context, {}))
    assert context.products["archives"][0].path.is_file()

    assert unpacked(context) == folder
    assert not context.products["archives"][0].path.exists()


def test_a_dropped_archive_is_fetched_for_a_job_that_does_not_unpack(context: Context) -> None:
    """A job whose stages end with fetch wants the archive itself."""
    unpacked(with_dataset(context, keep_archives=False))
    job = make_job(context.data_dir.parent, stages=("fetch",))

    assert fetch.look(context_of(job)).state == "todo"


def test_an_archive_kept_until_now_is_dropped(context: Context) -> None:
    """keep_archives may be changed when everything is unpacked already."""
    folder = unpacked(context)
    context = with_dataset(context, keep_archives=False)
    assert "would drop the archive" in look(context).text

    assert unpacked(context) == folder

    assert not context.products["archives"][0].path.exists()
    assert Path(context.job.dataset.archives[0].url).is_file()


def test_a_kill_before_the_link(context: Context) -> None:
    """A missing link, or one to an older folder, is made anew."""
    folder = unpacked(context)
    link = context.data_dir / "set"
    link.unlink()
    link.symlink_to("elsewhere")
    assert look(context).state == "todo"

    unpacked(context)

    assert link.resolve() == folder.resolve()


def test_a_persons_own_folder_is_left_alone(context: Context) -> None:
    """What is no link under the archive's name is none of ours."""
    (context.data_dir / "set").mkdir()
    (context.data_dir / "set" / "mine.txt").write_text("x")

    unpacked(context)

    assert (context.data_dir / "set" / "mine.txt").read_text() == "x"
    assert look(context).state == "done"


@pytest.mark.parametrize("name", ["downloads", "datasets"])
def test_an_archive_called_like_a_folder_of_ours(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    """It is unpacked and used; the log says that no link leads to it, why, and where it lies."""
    caplog.set_level(logging.INFO, "pipeline")
    job = make_job(tmp_path)
    archive = job.dataset.archives[0].model_copy(update={"name": f"{name}.zip"})
    dataset = replace_archives(job, (archive,))
    context = context_of(job.model_copy(update={"dataset": dataset}))
    context.products.update(fetch.run(context, {}))

    folder = unpacked(context)

    assert sorted(files_below(folder)) == ["test/b.txt", "train/a.txt"]
    assert caplog.records[-1].getMessage() == (
        f"{name}.zip: no link to its data, for {context.data_dir / name} is where data are kept; "
        f"they lie in {folder}"
    )
    assert look(context).state == "done"


def test_a_damaged_archive_leaves_no_folder(context: Context) -> None:
    """Half of an archive never passes for the whole."""
    path = context.products["archives"][0].path
    damage(path)

    with pytest.raises(ArchiveError, match=r"set\.zip"):
        unpacked(context)

    assert [p.name for p in context.datasets.iterdir() if p.name[0] not in "._"] == []
    assert not (context.data_dir / "set").exists()


def damage(path: Path) -> None:
    """One byte of content is another."""
    content = bytearray(path.read_bytes())
    content[45] ^= 0xFF
    path.write_bytes(content)


def test_a_damaged_archive_is_fetched_anew(context: Context) -> None:
    """The message names its full path and source; once the source is mended, all goes on."""
    source = Path(context.job.dataset.archives[0].url)
    damage(source)
    context.products.update(fetch.run(context, {}))
    path = context.products["archives"][0].path

    with pytest.raises(DamagedArchiveError) as caught:
        unpacked(context)

    assert f"It lies at {path} and came from {source}." in str(caught.value)
    assert fetch.look(context).state == "changed"
    assert "it could not be unpacked, being damaged" in fetch.look(context).text
    status = source.stat()
    damage(source)
    os.utime(source, ns=(status.st_atime_ns, status.st_mtime_ns))
    context.products.update(fetch.run(context, {}))
    assert unpacked(context).is_dir()
    assert fetch.look(context).state == "done"


@pytest.mark.parametrize("is_damaged_here", [True, False])
def test_a_damaged_archive_with_a_declared_digest(context: Context, is_damaged_here: bool) -> None:
    """It comes again only if it is another one than was declared."""
    archive = context.job.dataset.archives[0]
    if not is_damaged_here:
        damage(Path(archive.url))
    sha256 = hashlib.sha256(Path(archive.url).read_bytes()).hexdigest()
    context = with_dataset(context, archives=(archive.model_copy(update={"sha256": sha256}),))
    context.products.update(fetch.run(context, {}))
    path = context.products["archives"][0].path
    if is_damaged_here:
        # Some disks do not notice.
        status = path.stat()
        damage(path)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))

    with pytest.raises(DamagedArchiveError, match="damaged" if is_damaged_here else "declared"):
        unpacked(context)

    assert (fetch.look(context).state == "changed") == is_damaged_here


def test_a_removed_folder_is_unpacked_again(context: Context) -> None:
    """A receipt without its folder vouches for nothing."""
    shutil.rmtree(unpacked(context))
    assert look(context).state == "todo"

    assert unpacked(context).is_dir()


def test_a_mount_is_only_linked(tmp_path: Path) -> None:
    """Its folder may be all there is, and beside it nothing can be written."""
    mounted = tmp_path / "mount" / "files"
    mounted.mkdir(parents=True)
    job = make_job(tmp_path)
    archives = (Archive(url=str(mounted), name="files", mount=True),)
    context = context_of(job.model_copy(update={"dataset": replace_archives(job, archives)}))
    context.products.update(fetch.run(context, {}))

    assert unpacked(context) == mounted

    assert (context.data_dir / "files").readlink() == mounted
    assert list(mounted.parent.iterdir()) == [mounted]
    assert look(context).state == "done"


def replace_archives(job: Job, archives: tuple[Archive, ...]) -> Dataset:
    """The job's dataset with other inputs."""
    return job.dataset.model_copy(update={"archives": archives})
