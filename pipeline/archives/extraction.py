"""An archive becomes a folder."""

from __future__ import annotations

import contextlib
from pathlib import Path

from pipeline.archives import threads
from pipeline.archives.destination import Destination
from pipeline.archives.formats import unpacker_for
from pipeline.archives.member import ArchiveLimits, Contents
from pipeline.archives.rules import Rules
from pipeline.disk.folders import building
from pipeline.storage import OnBytes, ignore_bytes
from pipeline.storage.disk import naming_cause


def extract(
    archive_path: Path,
    folder: Path,
    *,
    limits: ArchiveLimits,
    on_bytes: OnBytes = ignore_bytes,
    workers: int | None = None,
) -> Contents:
    """The archive's members lie in `folder`, all of them, or there is no such folder.

    Names, links and announced sizes are checked before a member is written, sizes and
    checksums while it is; owners and special modes are not kept. `on_bytes` is called
    by one thread at a time. None of `workers` means as many as there are cores.

    A kill at any instant leaves nothing under the name. After a cut of power in the half
    minute that follows, files may be short: waiting until the disk has all would hold up
    the job for as long as it takes to write what a machine's memory can put off.

    Raises:
        ArchiveError: it is no archive, or it is damaged, locked, unsafe or too big.
        DependencyError: it needs a library that is missing.
        IntegrityError: `folder` exists already.
        DiskFullError: the disk has no space for what is in it.
    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(naming_cause(archive_path))
        name, archive_bytes = archive_path.name, archive_path.stat().st_size
        unpack = unpacker_for(archive_path)
        rules = Rules(limits, archive=name, archive_bytes=archive_bytes)
        workshop = stack.enter_context(building(folder))
        destination = Destination(
            workshop / "files", archive=name, on_bytes=on_bytes, workers=workers or threads.usual()
        )
        unpack(archive_path, rules, destination)
        destination.finish()
        return rules.finish()
