"""Whether a run is finished already, and whether it was made from the same inputs."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline import manifest, publish, steps
from pipeline.context import Context
from pipeline.errors import StorageError
from pipeline.manifest import Manifest
from pipeline.masking import masked
from pipeline.stage import Stage

logger = logging.getLogger(__name__)


def is_complete(context: Context, stages: Sequence[Stage]) -> bool:
    """Whether the run was completed, from the same inputs, and everything is still there."""
    previous = context.previous
    if not previous or previous.status != "complete":
        return False
    decided = steps.decide(stages, context)
    if any(step.outlook.state == "changed" for step in decided):
        return False
    if not manifest.is_intact(previous, context.folder):
        return False
    for step in decided:
        found = step.outlook.products.get("inputs")
        if found is not None and differences(previous.inputs, masked(found)):
            return False
    return "export" not in context.job.mode.stages or _is_exported(context, previous)


def _is_exported(context: Context, previous: Manifest) -> bool:
    cluster = context.job.cluster
    place = publish.open_place(cluster.export_url, context.job.run_id, context.limits)
    try:
        missing = publish.missing(place, previous)
    except StorageError as error:
        # It was whole when it was verified; that it cannot be looked at now takes nothing back.
        logger.warning("could not look at the export place again: %s", error)
        return True
    if missing:
        logger.warning("%s lacks %s; exporting again", place.url, ", ".join(missing[:5]))
    return not missing


def differences(before: Sequence[Any], now: Sequence[Any]) -> list[str]:
    """Which inputs are others than before, by name."""
    old = {item["name"]: item for item in before}
    new = {item["name"]: item for item in now}
    return sorted(
        name
        for name in old.keys() | new.keys()
        if name not in old or name not in new or not _is_same(old[name], new[name])
    )


def _is_same(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """By the strongest fact that both have: the digest, else what the store tells of versions."""
    for fact in ("sha256", "etag", "size_bytes"):
        if old.get(fact) and new.get(fact):
            return bool(old[fact] == new[fact])
    return bool(old.get("kind") == new.get("kind"))
