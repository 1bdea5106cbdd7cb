"""fetch: every input of the job is here and verified."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Any

from pipeline.context import Context
from pipeline.disk.files import human_bytes
from pipeline.errors import CheckpointError, Mistake
from pipeline.inputs import arrivals, inputs, places, pretrained, resuming
from pipeline.inputs.arrivals import Way
from pipeline.inputs.inputs import Fetched
from pipeline.inputs.wanted import Checkpoint, Wanted, at_hand
from pipeline.job.job import Archive
from pipeline.messages.masking import mask_url
from pipeline.stage import Outlook, State, stage

log = logging.getLogger(__name__)

Products = tuple[tuple[Fetched, ...], "Checkpoint | None", "list[dict[str, Any]]"]


def look(context: Context) -> Outlook:
    """Tells from receipts what is here; local sources are compared by size and time."""
    items = _items(context)
    states = {archive.name: _state_of(context, archive, path) for archive, path in items}
    text = "\n".join(f"{name}: {reason}" for name, (_, reason) in states.items())
    wanted = _wanted(context)
    if wanted and wanted.path:
        text += f"\n{wanted.path.name}: used in place"
    found = {state for state, _ in states.values()}
    if found != {"done"}:
        return Outlook(text, "changed" if "changed" in found else "todo")
    fetched = [inputs.known(archive, path) for archive, path in items]
    products = dict(zip(("archives", "checkpoint", "inputs"), _products(context, fetched)))
    return Outlook(text, "done", products)


def ask(context: Context) -> None:
    """Asks the sources of what is here whether it is another one now."""
    context.told.update(arrivals.ask(_items(context), context.limits))


@stage(
    look=look,
    ask=ask,
    makes=("archives", "checkpoint", "inputs"),
    runs_on="node",
    is_preparation=True,
)
def fetch(context: Context) -> Products:
    """Fetches what is missing or changed; each input lands whole or not at all."""
    way = _way(context)
    wanted = _wanted(context)
    for archive, path in resuming.leads(wanted, context.job, context.downloads) if wanted else ():
        _fetch_one(context, way, archive, path)
    items, needed = [], {}
    for archive, path in _items(context):
        if not way.is_here(archive, path):
            found, size_bytes = arrivals.announced(archive, context.limits)
            if found != archive:
                archive = found
                path = inputs.landing_place(archive, context.downloads, context.datasets)
            needed[archive.name] = arrivals.needed_bytes(archive, path, size_bytes, way)
        items.append((archive, path))
    places.require_room("cluster.data_dir", context.data_dir, needed)
    return _products(context, [_fetch_one(context, way, *item) for item in items])


def _way(context: Context) -> Way:
    """Where the job unpacks, the folder of a dropped archive stands for it."""
    is_unpacked = "extract" in context.job.mode.stages
    return Way(
        limits=context.limits,
        now=context.told,
        datasets=context.datasets if is_unpacked else None,
        silence_s=context.job.cluster.node_wait_s,
    )


def _state_of(context: Context, archive: Archive, path: Path) -> tuple[State, str]:
    """As receipts tell; what is not here may also be another than the run on record had."""
    way = _way(context)
    state, reason = inputs.state_of(
        archive, path, now=way.now.get(archive.url), datasets=way.datasets
    )
    before = {entry["name"]: entry for entry in context.previous.inputs} if context.previous else {}
    if state != "todo" or not before:
        return state, reason
    entry = before.get(archive.name) or before.get(path.name)
    if entry is None or entry.get("url") not in (None, mask_url(archive.url)):
        return "changed", f"{reason}; this run was made from another"
    return state, reason


def _items(context: Context) -> list[tuple[Archive, Path]]:
    """The inputs and where each lands: the data first, then models or a checkpoint."""
    wanted = _wanted(context)
    packed = pretrained.packed_models(context.job) if wanted and wanted.is_inside else ()
    named = (*context.job.dataset.archives, *packed)
    archives = [inputs.as_known(archive, context.datasets) for archive in named]
    items = [
        (archive, inputs.landing_place(archive, context.downloads, context.datasets))
        for archive in archives
    ]
    if wanted and wanted.url:
        items.append(pretrained.to_fetch(wanted, context.job, context.downloads))
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
    checkpoint = at_hand(wanted, path)
    found = {"name": path.name, "kind": "checkpoint", "sha256": checkpoint.sha256}
    return tuple(fetched[:count]), checkpoint, [*facts[:count], found]


def _fetch_one(context: Context, way: Way, archive: Archive, path: Path) -> Fetched:
    started = time.monotonic()
    with context.progress(f"fetch {archive.name}", inputs.size_of(archive), "B") as advance:
        fetched = arrivals.fetch(archive, path, way, on_bytes=advance)
    if fetched.is_new:
        seconds = time.monotonic() - started
        size = human_bytes(fetched.size_bytes or 0)
        log.info("fetched %s: %s in %.1f s", archive.name, size, seconds)
        context.event("fetched", **fetched.facts(archive.url), seconds=round(seconds, 3))
    return fetched
