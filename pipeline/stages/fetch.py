"""fetch: every input of the job is here and verified."""

from __future__ import annotations

import hashlib
import logging
import time
from pathlib import Path
from typing import Any

from pipeline import inputs, pretrained
from pipeline.context import Context
from pipeline.errors import CheckpointError, Mistake
from pipeline.files import human_bytes
from pipeline.inputs import Fetched
from pipeline.job import Archive
from pipeline.masking import mask
from pipeline.pretrained import Checkpoint, Wanted
from pipeline.stage import Outlook, State, stage

log = logging.getLogger(__name__)

Products = tuple[tuple[Fetched, ...], "Checkpoint | None", "list[dict[str, Any]]"]


def look(context: Context) -> Outlook:
    """Tells from receipts what is here; local sources are compared by size and time."""
    items = _items(context)
    states = {archive.name: _state_of(context, archive, path) for archive, path in items}
    text = "; ".join(f"{name}: {reason}" for name, (_, reason) in states.items())
    found = {state for state, _ in states.values()}
    if found != {"done"}:
        return Outlook(text, "changed" if "changed" in found else "todo")
    fetched = [inputs.known(archive, path) for archive, path in items]
    products = dict(zip(("archives", "checkpoint", "inputs"), _products(context, fetched)))
    return Outlook(text, "done", products)


@stage(look=look, makes=("archives", "checkpoint", "inputs"), runs_on="node", is_preparation=True)
def fetch(context: Context) -> Products:
    """Fetches what is missing or changed; each input lands whole or not at all."""
    fetched = [_fetch_one(context, archive, path) for archive, path in _items(context)]
    return _products(context, fetched)


def _state_of(context: Context, archive: Archive, path: Path) -> tuple[State, str]:
    """As receipts tell; what is not here may also be another than the run on record had."""
    state, reason = inputs.state_of(archive, path)
    before = {entry["name"]: entry for entry in context.previous.inputs} if context.previous else {}
    if state != "todo" or not before:
        return state, reason
    entry = before.get(archive.name) or before.get(path.name)
    if entry is None or entry.get("url") not in (None, mask(archive.url)):
        return "changed", f"{reason}; this run was made from another"
    return state, reason


def _items(context: Context) -> list[tuple[Archive, Path]]:
    """The inputs and where each lands: the data first, then models or a checkpoint."""
    wanted = _wanted(context)
    packed = pretrained.packed_models(context.job) if wanted and wanted.is_inside else ()
    items = [
        (archive, inputs.landing_place(archive, context.downloads, context.datasets))
        for archive in (*context.job.dataset.archives, *packed)
    ]
    if wanted and wanted.url:
        place = mask(wanted.url).split("?")[0].rstrip("/")
        name = place.rpartition("/")[2]
        digest = hashlib.sha256(place.encode()).hexdigest()[:8]
        items.append((Archive(url=wanted.url, name=name), context.downloads / f"{digest}-{name}"))
    return items


def _wanted(context: Context) -> Wanted | None:
    found = pretrained.find(context.job, context.output_dir)
    if isinstance(found, Mistake):
        raise CheckpointError(str(found))
    return found


def _products(context: Context, fetched: list[Fetched]) -> Products:
    archives = [archive for archive, _ in _items(context)]
    facts = [item.facts(archive.url) for item, archive in zip(fetched, archives)]
    wanted = _wanted(context)
    if wanted is None or wanted.is_inside:
        return tuple(fetched), None, facts
    count = len(context.job.dataset.archives)
    path = wanted.path or fetched[-1].path
    checkpoint = pretrained.at_hand(wanted, path)
    found = {"name": path.name, "kind": "checkpoint", "sha256": checkpoint.sha256}
    return tuple(fetched[:count]), checkpoint, [*facts[:count], found]


def _fetch_one(context: Context, archive: Archive, path: Path) -> Fetched:
    started = time.monotonic()
    was_here = inputs.state_of(archive, path)[0] == "done"
    if not was_here and inputs.is_really_folder(archive, context.limits):
        archive = archive.model_copy(update={"url": f"{archive.url}/"})
        path = inputs.landing_place(archive, context.downloads, context.datasets)
    with context.progress(f"fetch {archive.name}", inputs.size_of(archive), "B") as advance:
        fetched = inputs.fetch(archive, path, limits=context.limits, on_bytes=advance)
    if not was_here:
        seconds = time.monotonic() - started
        size = human_bytes(fetched.size_bytes or 0)
        log.info("fetched %s: %s in %.1f s", archive.name, size, seconds)
        context.event("fetched", **fetched.facts(archive.url), seconds=round(seconds, 3))
    return fetched
