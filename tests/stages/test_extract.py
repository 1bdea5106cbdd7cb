"""extract: every archive is a folder, complete or absent."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import pytest

from pipeline import receipts
from pipeline.context import Context
from pipeline.errors import ArchiveError
from pipeline.job import Archive, Dataset, Job
from pipeline.stages.extract import extract, look
from pipeline.stages.fetch import fetch
from tests.running import context_of, files_below, make_job


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
    """A folder that was renamed into place is whole, so it only lacks its receipt."""
    folder = unpacked(context)
    receipts.table_of(folder).unlink()
    assert look(context).state == "todo"

    assert unpacked(context) == folder
    assert look(context).state == "done"


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


def test_a_damaged_archive_leaves_no_folder(context: Context) -> None:
    """Half of an archive never passes for the whole."""
    path = context.products["archives"][0].path
    content = bytearray(path.read_bytes())
    content[45] ^= 0xFF
    path.write_bytes(content)

    with pytest.raises(ArchiveError, match=r"set\.zip"):
        unpacked(context)

    assert [p.name for p in context.datasets.iterdir() if p.name[0] not in "._"] == []
    assert not (context.data_dir / "set").exists()


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
