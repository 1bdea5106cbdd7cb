"""Whether folders, datasets and the export place can really be used."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path

from pipeline.commands.doctor import trial
from pipeline.commands.doctor.asking import Check, ask
from pipeline.commands.doctor.finding import Finding, ok, problem, warning
from pipeline.context import Context
from pipeline.disk.files import human_bytes
from pipeline.errors import ConfigError, Mistake
from pipeline.inputs import inputs, places
from pipeline.job.job import Archive, Job
from pipeline.messages.masking import mask_url
from pipeline.running import preparation
from pipeline.storage import Entry, Storage, is_url, normalise, open_storage, split
from pipeline.transfer import Limits, retry

# All of doctor ends within a minute; the rest of it is moxing's start.
_LONGEST_S = 36.0
_LONGEST_STALL_S = 8.0
# More files than these are not counted: that is one page of a listing.
_COUNTED_FILES = 1000


def findings(job: Job) -> list[Finding]:
    """Folders first, then everything that has to be asked, all at once."""
    context, mistakes = _prepared(job)
    checks = []
    for i, archive in enumerate(job.dataset.archives):
        told = mistakes.pop(f"dataset.archives.{i}.url", [])
        checks.append(Check("dataset", partial(_dataset, archive, job, context, told)))
    told = mistakes.pop("cluster.export_url", [])
    left = f", and delete what may be left there: {trial.PREFIX}*"
    checks.append(Check("export", partial(_export, job, told), left))
    folders = {
        "cluster.data_dir": job.cluster.data_dir,
        "cluster.output_dir": job.cluster.output_dir,
    }
    found = [_folder(key, candidates) for key, candidates in folders.items()]
    others = [m for key, told in mistakes.items() if key not in folders for m in told]
    found += [problem("job", str(mistake)) for mistake in others]
    return [*found, *ask(checks, longest_s=_LONGEST_S)]


def _prepared(job: Job) -> tuple[Context | None, dict[str, list[Mistake]]]:
    """The job as a run would find it, or by key what a run would refuse."""
    try:
        return preparation.prepare(job, ""), {}
    except ConfigError as error:
        mistakes: dict[str, list[Mistake]] = {}
        for mistake in error.mistakes:
            mistakes.setdefault(mistake.key, []).append(mistake)
        return None, mistakes


def _folder(key: str, candidates: Sequence[str]) -> Finding:
    name = key.rpartition(".")[2]
    try:
        path = places.choose(key, candidates)
    except ConfigError as error:
        return problem(name, str(error))
    existing = next(p for p in (path, *path.parents) if p.exists())
    free_bytes = shutil.disk_usage(existing).free
    text = f"{path}, {human_bytes(free_bytes)} free"
    if free_bytes < places.ROOM_BYTES:
        remedy = f"free some, or write {key}=FOLDER on another disk"
        return warning(name, f"{text}, which is little; {remedy}")
    return ok(name, text if path.exists() else f"{text}; made when it is first used")


def _limits(job: Job) -> Limits:
    """The job's, cut down: a person waits for the answer."""
    limits = job.cluster.transfer
    return Limits(1, min(limits.retries, 1), min(limits.stall_s, _LONGEST_STALL_S))


def _told(topic: str, mistakes: Sequence[Mistake]) -> Finding:
    parts = (f"{m.problem}{'; ' if m.remedy else ''}{m.remedy}" for m in mistakes)
    return problem(topic, "; ".join(parts))


def _export(job: Job, mistakes: Sequence[Mistake]) -> Finding:
    url = job.cluster.export_url
    if "export" not in job.mode.stages:
        return ok("export", "nowhere: the job has no export stage")
    if url is None:
        text = "the platform collects the output folder when the job ends; nothing leaves earlier"
        return ok("export", f"{text}, so nothing could be tried")
    if mistakes:
        return _told("export", mistakes)
    limits = _limits(job)
    with _without_new_folders(url):
        storage = open_storage(url, stall_s=limits.stall_s)
        trial.write_read_delete(storage, limits)
    return ok("export", f"{storage.url}: a small object was written, read back and deleted")


@contextlib.contextmanager
def _without_new_folders(url: str) -> Iterator[None]:
    """Folders that a trial on the local disk makes are gone afterwards, unless others use them."""
    place = Path(normalise(url))
    folders = () if is_url(normalise(url)) else (place, *place.parents)
    new = [folder for folder in folders if not folder.exists()]
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            for folder in new:
                folder.rmdir()


def _dataset(
    archive: Archive, job: Job, context: Context | None, mistakes: Sequence[Mistake]
) -> Finding:
    kind = inputs.kind_of(archive)
    where = f"{archive.name} ({kind}) {mask_url(archive.url)}"
    if context and kind != "mount":
        landing = inputs.landing_place(archive, context.downloads, context.datasets)
        if inputs.state_of(archive, landing, datasets=context.datasets)[0] == "done":
            return ok("dataset", f"{where}: already here and verified")
    if mistakes:
        return _told("dataset", mistakes)
    if kind == "mount" or not is_url(normalise(archive.url)):
        return _here(Path(normalise(archive.url)), where, is_folder=kind == "mount")
    limits = _limits(job)
    text = retry(partial(_there, archive.url, limits), limits=limits)
    if text:
        return ok("dataset", f"{where}: {text}")
    remedy = "check the URL, and whether these credentials may list there"
    return problem("dataset", f"{where}: nothing is there; {remedy}")


def _here(path: Path, where: str, *, is_folder: bool) -> Finding:
    if path.is_dir():
        return ok("dataset", f"{where}: a folder")
    if path.is_file() and not is_folder:
        return ok("dataset", f"{where}: {human_bytes(path.stat().st_size)}")
    expected = "a folder" if is_folder else "a file or folder"
    return problem("dataset", f"{where}: nothing is there; expected {expected}, check the path")


def _there(url: str, limits: Limits) -> str:
    """What lies at the URL, in words; empty for nothing."""
    root, key = split(url)
    storage = open_storage(root, stall_s=limits.stall_s)
    if not key:
        return _listing(storage, "")
    entry = storage.head(key)
    if entry:
        return human_bytes(entry.size_bytes) if entry.size_bytes >= 0 else "it is there"
    is_bucket = normalise(url).startswith("obs://")
    return _listing(storage, f"{key}/") if is_bucket else ""


def _listing(storage: Storage, prefix: str) -> str:
    entries: list[Entry] = list(islice(storage.list(prefix), _COUNTED_FILES))
    if not entries:
        return ""
    size = human_bytes(sum(max(0, entry.size_bytes) for entry in entries))
    more = " or more" if len(entries) == _COUNTED_FILES else ""
    return f"a folder, {len(entries):,} files{more}, {size}{more}"
