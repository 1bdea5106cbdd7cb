"""Runs below an exported place, by the manifests that lie there."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from pipeline.commands.runs import finding
from pipeline.commands.runs.record import Run
from pipeline.errors import ObjectMissingError, StorageError
from pipeline.manifest import FILE_NAME
from pipeline.messages import console
from pipeline.storage import Entry, Storage, is_url, normalise, open_storage
from pipeline.transfer import Limits, retry

LIMITS = Limits(parallel=8, retries=2, stall_s=8.0)
# As many manifests are read at most, the newest ones: some seconds on a slow line.
MOST_RUNS = 2000


@dataclass(frozen=True)
class Found:
    """The runs of a place, newest first, and how many older ones were not looked at."""

    runs: Sequence[Run]
    passed_over: int = 0


def at(url: str) -> Found:
    """The runs whose folders lie directly below this folder or URL.

    Raises:
        ConfigError: the URL cannot be meant.
        StorageError: the place does not answer, or cannot list what it has.
    """
    place = normalise(url)
    if not is_url(place):
        return Found(finding.in_folders([Path(place).absolute()], is_export=True))
    storage = open_storage(place, stall_s=LIMITS.stall_s)
    entries = retry(lambda: [e for e in storage.list() if _is_manifest(e.key)], limits=LIMITS)
    newest = sorted(entries, key=lambda entry: entry.modified or 0.0, reverse=True)[:MOST_RUNS]
    with ThreadPoolExecutor(LIMITS.parallel) as pool:
        runs = list(pool.map(functools.partial(_run, storage), newest))
    return Found(finding.newest_first(runs), len(entries) - len(newest))


def run_at(url: str) -> Run | None:
    """The run whose exported folder this URL is; None if there is none."""
    place = normalise(url).rstrip("/")
    if not is_url(place):
        return finding.in_folder(Path(place).resolve(), is_export=True)
    storage = open_storage(place, stall_s=LIMITS.stall_s)
    content = _get(storage, FILE_NAME)
    name = place.split("?")[0].rpartition("/")[2]
    reader = functools.partial(_get, storage)
    return finding.from_bytes(name, storage.url, content, reader) if content is not None else None


def _is_manifest(key: str) -> bool:
    return key.count("/") == 1 and key.endswith(f"/{FILE_NAME}")


def _run(storage: Storage, entry: Entry) -> Run:
    name = entry.key.partition("/")[0]
    place = f"{storage.url.rstrip('/')}/{name}"

    def read(file_name: str) -> bytes | None:
        return _get(storage, f"{name}/{file_name}")

    try:
        content = read(FILE_NAME)
    except StorageError as error:
        return finding.damaged(name, place, str(error), read)
    return finding.from_bytes(name, place, content or b"", read)


def _get(storage: Storage, key: str) -> bytes | None:
    try:
        return retry(lambda: b"".join(storage.get(key)), limits=LIMITS)
    except ObjectMissingError:
        return None


def tell_passed_over(found: Found) -> None:
    """Says what was not looked at, if anything was not."""
    if found.passed_over:
        text = f"{console.counted(found.passed_over, 'older run')} not looked at"
        console.say(f"note: {text}; name one by its URL", "yellow", to_errors=True)
