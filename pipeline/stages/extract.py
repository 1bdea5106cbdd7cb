"""extract: every archive is a folder, complete, under the digest of its content."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path

from filelock import FileLock

from pipeline import archives as unpacking
from pipeline import pretrained, receipts
from pipeline.context import Context
from pipeline.files import human_bytes
from pipeline.inputs import Fetched
from pipeline.pretrained import Checkpoint, Wanted
from pipeline.stage import Outlook, stage

log = logging.getLogger(__name__)


def look(context: Context) -> Outlook:
    """Tells from folders and receipts what is unpacked already."""
    fetched = context.products.get("archives")
    if fetched is None:
        return Outlook("would unpack what is fetched")
    missing = [item.name for item in fetched if not _is_unpacked(context, item)]
    if missing:
        return Outlook(f"would unpack {', '.join(missing)}")
    folders = tuple(_folder(context, item) for item in fetched)
    if not all(_is_linked(context, item) for item in fetched):
        return Outlook("would link what is unpacked")
    checkpoint = _checkpoint(context, folders, context.products.get("checkpoint"))
    products = {"folders": folders, "checkpoint": checkpoint}
    return Outlook("already unpacked", "done", products, _facts(folders))


@stage(look=look, makes=("folders", "checkpoint"), runs_on="node", is_preparation=True)
def extract(
    context: Context, archives: tuple[Fetched, ...], checkpoint: Checkpoint | None = None
) -> tuple[tuple[Path, ...], Checkpoint | None]:
    """Unpacks what is not unpacked yet; a folder is there complete or not at all."""
    for item in archives:
        # Beside a mount nothing can be written, and a folder was complete when it came.
        if item.kind == "archive":
            _unpack_once(context, item)
        if not _is_linked(context, item):
            _link(_link_path(context, item), _link_target(context, item))
    folders = tuple(_folder(context, item) for item in archives)
    context.record(**_facts(folders))
    return folders, _checkpoint(context, folders, checkpoint)


def _checkpoint(
    context: Context, folders: tuple[Path, ...], fetched: Checkpoint | None
) -> Checkpoint | None:
    """The one that was fetched, or the one that lies in what the launch brought."""
    wanted = pretrained.find(context.job, context.output_dir) if fetched is None else None
    if isinstance(wanted, Wanted) and wanted.is_inside:
        # The models come after the data, and their checkpoints before those in the data.
        count = len(context.job.dataset.archives)
        return pretrained.inside((*folders[count:], *folders[:count]), wanted)
    return fetched


def _folder(context: Context, item: Fetched) -> Path:
    if item.kind != "archive":
        return item.path
    return context.datasets / f"{unpacking.stem(item.name)}-{(item.sha256 or '')[:8]}"


def _is_unpacked(context: Context, item: Fetched) -> bool:
    folder = _folder(context, item)
    return folder.is_dir() and (item.kind != "archive" or receipts.vouches(folder))


def _unpack_once(context: Context, item: Fetched) -> None:
    """The archive is a folder; two processes that need it at once share the work."""
    folder = _folder(context, item)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_name(f".{folder.name}.lock")):
        if not _is_unpacked(context, item):
            _unpack(context, item, folder)


def _unpack(context: Context, item: Fetched, folder: Path) -> None:
    started = time.monotonic()
    if folder.is_dir():
        # The folder was renamed into place just before its receipt could be written.
        receipts.add(folder, archive=item.name, sha256=item.sha256)
        return
    limits = context.job.dataset.limits
    allowed = unpacking.ArchiveLimits(limits.bytes, limits.members, limits.ratio)
    with context.progress(f"extract {item.name}", None, "B") as advance:
        contents = unpacking.extract(item.path, folder, limits=allowed, on_bytes=advance)
    receipts.add(
        folder,
        archive=item.name,
        sha256=item.sha256,
        members=contents.members,
        total_bytes=contents.size_bytes,
    )
    seconds = time.monotonic() - started
    size = human_bytes(contents.size_bytes)
    log.info("extracted %s: %d files, %s in %.1f s", item.name, contents.members, size, seconds)
    context.event("extracted", archive=item.name, members=contents.members, folder=folder.name)


def _facts(folders: tuple[Path, ...]) -> dict[str, int]:
    """What is unpacked, all archives together, as their receipts tell."""
    found = [receipts.last(folder) for folder in folders]
    return {name: sum(r.get(name, 0) for r in found) for name in ("members", "total_bytes")}


def _link_path(context: Context, item: Fetched) -> Path:
    """Code written for the platforms' samples looks for its data there."""
    return context.data_dir / unpacking.stem(item.name)


def _is_linked(context: Context, item: Fetched) -> bool:
    """Whether that leads to the data; what is no link is none of ours and counts as it is."""
    link = _link_path(context, item)
    if not link.is_symlink():
        return link.exists()
    return str(link.readlink()) == _link_target(context, item)


def _link_target(context: Context, item: Fetched) -> str:
    """Relative where both lie in the data folder, so that it can be moved."""
    folder = _folder(context, item)
    is_ours = folder.parent == context.datasets
    return os.path.relpath(folder, context.data_dir) if is_ours else str(folder.absolute())


def _link(link: Path, target: str) -> None:
    link.parent.mkdir(parents=True, exist_ok=True)
    temporary = link.with_name(f".{link.name}.tmp{os.getpid()}")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(target, target_is_directory=True)
    temporary.replace(link)
