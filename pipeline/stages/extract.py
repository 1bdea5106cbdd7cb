"""extract: every archive is a folder, complete, under the digest of its content."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path

from filelock import FileLock

from pipeline import archives as unpacking
from pipeline import receipts
from pipeline.context import Context
from pipeline.files import human_bytes
from pipeline.inputs import Fetched
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
    return Outlook("already unpacked", "done", {"folders": folders})


@stage(look=look, makes=("folders",), runs_on="node", is_preparation=True)
def extract(context: Context, archives: tuple[Fetched, ...]) -> tuple[Path, ...]:
    """Unpacks what is not unpacked yet; a folder is there complete or not at all."""
    for item in archives:
        folder = _folder(context, item)
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_name(f".{folder.name}.lock")):
            if not _is_unpacked(context, item):
                _unpack(context, item, folder)
        _link(context.data_dir / unpacking.stem(item.name), folder)
    return tuple(_folder(context, item) for item in archives)


def _folder(context: Context, item: Fetched) -> Path:
    if item.kind != "archive":
        return item.path
    return context.datasets / f"{unpacking.stem(item.name)}-{(item.sha256 or '')[:8]}"


def _is_unpacked(context: Context, item: Fetched) -> bool:
    folder = _folder(context, item)
    return folder.is_dir() and (item.kind != "archive" or receipts.vouches(folder))


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
    context.record(members=contents.members, total_bytes=contents.size_bytes)


def _link(link: Path, folder: Path) -> None:
    """Code written for the platforms' samples looks for its data below data_dir/<name>."""
    target = os.path.relpath(folder, link.parent)
    if link.is_symlink() and str(link.readlink()) == target:
        return
    if link.exists() and not link.is_symlink():
        log.warning("%s is there already and is no link of ours; it was left as it is", link)
        return
    temporary = link.with_name(f".{link.name}.tmp{os.getpid()}")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(target, target_is_directory=True)
    temporary.replace(link)
