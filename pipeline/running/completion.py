"""Whether a run is finished already, and whether it was made from the same inputs."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline import manifest, publish
from pipeline.context import Context
from pipeline.errors import StorageError
from pipeline.manifest import Manifest
from pipeline.messages.masking import masked
from pipeline.messages.spelling import first_of
from pipeline.running.steps import Step
from pipeline.stage import Outlook

logger = logging.getLogger(__name__)


def is_complete(context: Context, decided: Sequence[Step]) -> bool:
    """Whether the run was completed, from the same inputs, and everything is still there."""
    previous = context.previous
    if previous is None or not looks_complete(context, decided):
        return False
    return "export" not in context.job.mode.stages or _is_exported(context, previous)


def looks_complete(context: Context, decided: Sequence[Step]) -> bool:
    """The same as far as local files tell; no storage is asked."""
    previous = context.previous
    if not previous or previous.status != "complete" or context.reason_to_start_anew:
        return False
    if previous.export_url != context.manifest.export_url:
        return False
    if any(step.outlook.state == "changed" for step in decided):
        return False
    if _lacks_its_data(decided):
        return False
    if not manifest.is_intact(previous, context.folder):
        return False
    found = [step.outlook.products.get("inputs") for step in decided]
    return not any(differences(previous.inputs, masked(inputs)) for inputs in found if inputs)


def _lacks_its_data(decided: Sequence[Step]) -> bool:
    """Whether the job was to end with data on this machine, and they are not all there."""
    made = [step for step in decided if step.stage.name != "export"]
    on_node = [step for step in made if step.stage.is_preparation and step.stage.runs_on == "node"]
    return len(on_node) == len(made) and any(step.works for step in on_node)


def settled(decided: Sequence[Step]) -> list[Step]:
    """The steps of a run that looks complete: none works, export included."""
    done = Outlook("exported and checked; a run looks at the place again", "done")
    return [
        Step(step.stage, done, works=False) if step.stage.name == "export" and step.works else step
        for step in decided
    ]


def _is_exported(context: Context, previous: Manifest) -> bool:
    export_url = context.job.cluster.export_url
    if export_url is None:
        return True
    place = publish.open_place(export_url, context.job.run_id, context.limits)
    try:
        missing = publish.missing(place, previous)
    except StorageError as error:
        logger.warning("could not look at the export place again: %s", error)
        # It was whole when it was verified; that it cannot be reached now takes nothing back.
        return error.is_passing
    if missing:
        logger.warning("%s lacks %s; exporting again", place.url, first_of(missing, 5))
    return not missing


def differences(before: Sequence[Any], now: Sequence[Any]) -> list[str]:
    """Which inputs are others than before, each with what differs."""
    old = {item["name"]: item for item in before}
    new = {item["name"]: item for item in now}
    named = {name: _difference(old.get(name), new.get(name)) for name in sorted({*old, *new})}
    return [f"{name} {difference}" for name, difference in named.items() if difference]


def _difference(old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> str:
    """By the strongest fact that both have: the digest, else what the store tells of versions."""
    if old is None or new is None:
        return "is new" if old is None else "is gone"
    for fact in ("sha256", "etag", "size_bytes", "kind"):
        if old.get(fact) and new.get(fact):
            was, now = str(old[fact])[:12], str(new[fact])[:12]
            return "" if old[fact] == new[fact] else f"({fact} {was} before, {now} now)"
    return ""
