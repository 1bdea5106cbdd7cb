"""Whatever has become of data, receipts, links and sources: fetch and extract put it right."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.context import Context
from pipeline.disk.files import is_temporary
from pipeline.inputs import receipts
from pipeline.stages import extract, fetch
from tests.running import context_of, files_below, make_archive, make_job


def source(folder: Path) -> Path:
    """Where the archive comes from."""
    return folder / "source" / "set.zip"


def final(place: Path) -> list[Path]:
    """What lies there under a final name."""
    found = place.iterdir() if place.is_dir() else []
    return [path for path in found if not is_temporary(path.name)]


def downloads(folder: Path) -> list[Path]:
    """The archives that came."""
    return final(folder / "data" / "downloads")


def datasets(folder: Path) -> list[Path]:
    """The folders that were unpacked."""
    return final(folder / "data" / "datasets")


def just_unpacked(folder: Path) -> list[Path]:
    """The folders whose receipt a kill can have hindered: nobody has touched them since.

    Without a receipt a folder is trusted, for it was renamed into place when it was whole.
    """
    return [path for path in datasets(folder) if len(files_below(path)) == 2]


def change_source(folder: Path) -> None:
    """The publisher has another version."""
    make_archive(source(folder), source(folder).read_bytes().hex()[:50] + "x")


def lose_source(folder: Path) -> None:
    """The source is not mounted for a while; it is back for the last run."""
    hidden = source(folder).with_name("hidden")
    if source(folder).exists():
        source(folder).rename(hidden)
        run(folder, keep=True, must=False)
        hidden.rename(source(folder))


def damage_downloads(folder: Path) -> None:
    """Somebody has written into an archive."""
    for path in downloads(folder):
        path.write_bytes(b"damaged")


def remove_downloads(folder: Path) -> None:
    """Somebody has cleared a folder."""
    for path in downloads(folder):
        path.unlink()


def remove_datasets(folder: Path) -> None:
    """Somebody has cleared another."""
    for path in datasets(folder):
        shutil.rmtree(path)


def damage_datasets(folder: Path) -> None:
    """Files are gone from an unpacked folder."""
    for path in datasets(folder):
        shutil.rmtree(path / "train", ignore_errors=True)


def lose_receipts(folder: Path) -> None:
    """A kill came before they were written, and the job was started again."""
    for path in (*downloads(folder), *just_unpacked(folder)):
        receipts.table_of(path).unlink(missing_ok=True)
    run(folder, keep=True)


def tear_receipts(folder: Path) -> None:
    """A kill came while they were written, and the job was started again."""
    for path in (*downloads(folder), *just_unpacked(folder)):
        table = receipts.table_of(path)
        if table.exists():
            table.write_bytes(table.read_bytes()[:-7])
    run(folder, keep=True)


def bend_links(folder: Path) -> None:
    """The link that ported code follows leads nowhere."""
    link = folder / "data" / "set"
    if link.is_symlink():
        link.unlink()
        link.symlink_to("nowhere")


def run_and_keep(folder: Path) -> None:
    """The job runs, and keeps its archives."""
    run(folder, keep=True)


def run_and_drop(folder: Path) -> None:
    """The job runs, and drops them."""
    run(folder, keep=False)


EVENTS: list[Callable[[Path], None]] = [
    change_source,
    lose_source,
    damage_downloads,
    remove_downloads,
    remove_datasets,
    damage_datasets,
    lose_receipts,
    tear_receipts,
    bend_links,
    run_and_keep,
    run_and_drop,
]


def context_for(folder: Path, *, keep: bool) -> Context:
    """A new process comes to the job."""
    job = make_job(folder, url=str(source(folder)), stages=("fetch", "extract"))
    dataset = job.dataset.model_copy(update={"keep_archives": keep})
    return context_of(job.model_copy(update={"dataset": dataset}))


def run(folder: Path, *, keep: bool, must: bool = True) -> Context:
    """Both stages work where their looks say so, as a runner takes them."""
    context = context_for(folder, keep=keep)
    for stage in (fetch.fetch, extract.extract):
        outlook = stage.look(context)
        if outlook.state == "done":
            context.products.update(outlook.products)
        elif must:
            context.products.update(stage.run(context, context.products))
    return context


@pytest.mark.slow
@settings(max_examples=40)
@given(st.lists(st.sampled_from(EVENTS), max_size=8), st.booleans())
def test_whatever_happened_the_next_run_puts_it_right(
    events: list[Callable[[Path], None]], keep: bool
) -> None:
    """Data are those of the source, links lead to them, and the looks agree that it is so."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_archive(source(folder))
        for event in events:
            event(folder)

        context = run(folder, keep=keep)

        expected = folder / "expected"
        shutil.unpack_archive(source(folder), expected)
        assert files_below(context.data_dir / "set") == files_below(expected)
        # What was dropped before does not come again only to be kept.
        allowed = [[], [source(folder).read_bytes()]] if keep else [[]]
        assert [path.read_bytes() for path in downloads(folder)] in allowed
        again = context_for(folder, keep=keep)
        assert fetch.look(again).state == "done"
        again.products.update(fetch.look(again).products)
        assert extract.look(again).state == "done"
