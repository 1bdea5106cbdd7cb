"""An archive becomes a folder of the job's data, once, whoever needs it.

A folder under its final name is complete, because it was renamed there after everything in it had
been verified; its receipt says what is in it, and whether that has been damaged since.
"""

from __future__ import annotations

import logging
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from pipeline import archives
from pipeline.context import Context
from pipeline.disk import files, locks
from pipeline.disk.files import human_bytes
from pipeline.errors import (
    ArchiveError,
    DamagedArchiveError,
    IntegrityError,
    Mistake,
    ObjectMissingError,
)
from pipeline.inputs import arrivals, receipts
from pipeline.inputs.inputs import Fetched
from pipeline.messages.console import counted
from pipeline.stage import State
from pipeline.storage import OnBytes

log = logging.getLogger(__name__)


def state_of(context: Context, item: Fetched, folder: Path) -> tuple[State, str]:
    """Whether the archive is unpacked there, within today's limits; if not, what is left to do."""
    receipt = receipts.last(folder)
    if not folder.is_dir():
        return "todo", "would unpack it" if not receipt else "would unpack it again: it is gone"
    if not receipt:
        return "todo", f"would write the receipt of {folder}, which is complete"
    problem = _problem(item, folder)
    if problem:
        return "todo", f"would unpack it again: {problem}"
    found = excess(context, item, folder)
    if found:
        return "changed", f"would refuse it: {found.problem}"
    if not context.job.dataset.keep_archives and item.path.exists():
        return "todo", "already unpacked; would drop the archive (dataset.keep_archives=false)"
    members = counted(receipt.get("members", 0), "member")
    return "done", f"already unpacked: {members}, {human_bytes(receipt.get('total_bytes', 0))}"


def excess(context: Context, item: Fetched, folder: Path) -> Mistake | None:
    """Which limit, lowered since it was unpacked, this folder is beyond."""
    limits, receipt = context.job.dataset.limits, receipts.last(folder)
    members, size_bytes = receipt.get("members", 0), receipt.get("total_bytes", 0)
    unpacked = f"unpacks to {human_bytes(size_bytes)}"
    if members > limits.members:
        return _beyond(item, "members", f"has {counted(members, 'member')}", f"{limits.members:,}")
    if size_bytes > limits.bytes:
        return _beyond(item, "bytes", unpacked, human_bytes(limits.bytes))
    if item.size_bytes and size_bytes > limits.ratio * item.size_bytes:
        packed = f"{limits.ratio:g} times its {human_bytes(item.size_bytes)}"
        return _beyond(item, "ratio", unpacked, packed)
    return None


def unpack_once(context: Context, item: Fetched, folder: Path) -> None:
    """The archive is that folder; processes that need it at once share the work.

    Raises:
        ArchiveError: it is damaged, unsafe, or more than dataset.limits allow.
        StalledError: another process is at it, and does not move.
    """
    if not _is_unpacked(item, folder):
        silence_s, what = context.job.cluster.node_wait_s, f"unpacking {item.name}"
        with (
            context.progress(f"extract {item.name}", None, "B") as advance,
            locks.alone_at(folder, what=what, silence_s=silence_s, on_bytes=advance) as count,
        ):
            if _is_unpacked(item, folder):
                log.info("%s is unpacked now; another process did it", item.name)
            else:
                _unpack(context, item, folder, count)
    found = excess(context, item, folder)
    if found:
        raise ArchiveError(f"{found.problem}; {found.remedy}.")
    if not context.job.dataset.keep_archives and item.path.exists():
        unpacked_bytes = int(receipts.last(folder).get("total_bytes", 0))
        silence_s = context.job.cluster.node_wait_s
        # From here on a cut of power must not take what the archive could give once more.
        files.sync_all(folder, _everything_in(folder))
        arrivals.drop(item, unpacked_bytes=unpacked_bytes, silence_s=silence_s)


def _is_unpacked(item: Fetched, folder: Path) -> bool:
    return folder.is_dir() and bool(receipts.last(folder)) and not _problem(item, folder)


def _problem(item: Fetched, folder: Path) -> str:
    """Why the folder does not hold what its receipt, or this archive, says."""
    found = receipts.last(folder).get("sha256")
    if found != item.sha256:
        return f"what lies there came from an archive with sha256 {str(found)[:12]}…"
    return receipts.damage(folder)


def _beyond(item: Fetched, limit: str, what: str, allowed: str) -> Mistake:
    key = f"dataset.limits.{limit}"
    problem = f"{item.name}: it {what}, but {key} allows {allowed}"
    return Mistake(key, problem, "", "raise that limit, or use another archive")


def _unpack(context: Context, item: Fetched, folder: Path, on_bytes: OnBytes) -> None:
    """Only the holder of the folder's lock is here."""
    started = time.monotonic()
    if folder.is_dir() and not receipts.last(folder):
        # It was renamed into place just before its receipt could be written.
        _vouch(item, folder, _contents_of(folder))
        return
    arrivals.remove(folder)
    limits, silence_s = context.job.dataset.limits, context.job.cluster.node_wait_s
    allowed = archives.ArchiveLimits(limits.bytes, limits.members, limits.ratio)
    # A run that wants another archive under this name must not replace it meanwhile.
    with locks.alone_at(
        item.path, what=f"reading {item.name}", silence_s=silence_s, on_bytes=on_bytes
    ) as count:
        _require_same(item)
        try:
            contents = archives.extract(item.path, folder, limits=allowed, on_bytes=count)
        except DamagedArchiveError as error:
            raise _told_as_damaged(context, item, error) from error
    _vouch(item, folder, contents)
    seconds = time.monotonic() - started
    size = human_bytes(contents.size_bytes)
    log.info("extracted %s: %d files, %s in %.1f s", item.name, contents.members, size, seconds)
    context.event("extracted", archive=item.name, members=contents.members, folder=folder.name)


def _told_as_damaged(
    context: Context, item: Fetched, error: DamagedArchiveError
) -> DamagedArchiveError:
    """The error with all that is known; what lies here counts as damaged, if it may be.

    Without a declared digest nobody can tell whether it came like that.
    """
    declared = {archive.sha256 for archive in context.job.dataset.archives}
    url = receipts.last(item.path).get("url")
    if item.sha256 in declared and files.sha256_of(item.path) == item.sha256:
        remedy = "It has the sha256 that is declared: what lies there is damaged, too"
    else:
        receipts.withdraw(item.path, "it could not be unpacked, being damaged")
        remedy = "The same command fetches it anew"
    return DamagedArchiveError(f"{error} It lies at {item.path} and came from {url}. {remedy}.")


def _require_same(item: Fetched) -> None:
    """What is unpacked is what was fetched for this job."""
    if not item.path.exists():
        raise ObjectMissingError(
            f"{item.path} has gone since it was fetched; run the same command again."
        )
    found = receipts.last(item.path).get("sha256")
    if found != item.sha256:
        raise IntegrityError(
            f"{item.name}: sha256 {str(found)[:12]}… lies at {item.path}, but this job has fetched "
            f"{str(item.sha256)[:12]}…: another run has replaced it. Give one of the two archives "
            f"another name, then run the same command again."
        )


def _vouch(item: Fetched, folder: Path, contents: archives.Contents) -> None:
    receipts.add(
        folder,
        archive=item.name,
        sha256=item.sha256,
        members=contents.members,
        total_bytes=contents.size_bytes,
    )


def _everything_in(folder: Path) -> Iterator[Path]:
    """Its receipt, its files, and the folders, which hold the names."""
    yield receipts.table_of(folder)
    for place, _, names in os.walk(folder):
        yield from (Path(place, name) for name in names if not Path(place, name).is_symlink())
        yield Path(place)
    yield folder.parent


def _contents_of(folder: Path) -> archives.Contents:
    """What lies there, counted; folders without a file count as members of their own."""
    members, size_bytes = 0, 0
    for place, folders, names in os.walk(folder):
        statuses = [Path(place, name).lstat() for name in names]
        size_bytes += sum(s.st_size for s in statuses if stat.S_ISREG(s.st_mode))
        links = sum(Path(place, name).is_symlink() for name in folders)
        is_bare = not folders and not names
        members += len(names) + links + is_bare
    return archives.Contents(members, size_bytes)
