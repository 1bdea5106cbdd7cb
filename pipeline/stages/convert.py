"""convert: the network is there in each of `mode.export_formats`, as a file others can run."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from pipeline.context import Context
from pipeline.disk.files import human_bytes
from pipeline.inputs.wanted import Checkpoint
from pipeline.stage import Outlook, stage

if TYPE_CHECKING:
    from pipeline.training.exporting import Exported
    from pipeline.training.session import Session

log = logging.getLogger(__name__)

_FOLDER = "exported"


def look(context: Context) -> Outlook:
    """Done when every format asked for lies there, made of this very checkpoint."""
    wanted = context.job.mode.export_formats
    if not wanted:
        return Outlook("mode.export_formats is empty", "done")
    missing = [name for name in wanted if name not in _made(context)]
    if not missing:
        return Outlook(f"{' and '.join(wanted)} written already", "done")
    # A run that was complete without them is so no longer.
    was_complete = context.previous is not None and context.previous.status == "complete"
    text = f"would write the network as {' and '.join(missing)}"
    return Outlook(text, "changed" if was_complete else "todo")


@stage(look=look, runs_on="first")
def convert(context: Context, session: Session, checkpoint: Checkpoint) -> None:
    """Writes what is missing, and compares each file's logits with the network's own."""
    from pipeline.training import exporting
    from pipeline.training.session import load_weights

    load_weights(session, checkpoint.path)
    models = _made(context)
    for name in context.job.mode.export_formats:
        if name in models:
            continue
        path = context.folder / _FOLDER / f"{context.job.model.name}.{name}"
        made = exporting.export(session, name, path)
        models[name] = {**asdict(made), "path": f"{_FOLDER}/{path.name}"}
        context.saved(path)
        _tell(made)
    context.record(checkpoint=checkpoint.sha256, models=list(models.values()))


def _made(context: Context) -> dict[str, Mapping[str, Any]]:
    """What an earlier start wrote of this checkpoint, and what still lies there, by format."""
    checkpoint, earlier = context.products.get("checkpoint"), context.earlier("convert")
    if earlier is None or checkpoint is None:
        return {}
    if earlier.facts.get("checkpoint") != checkpoint.sha256:
        return {}
    models = {model["format"]: model for model in earlier.facts.get("models", [])}
    return {name: model for name, model in models.items() if _lies_there(context, model)}


def _lies_there(context: Context, model: Mapping[str, Any]) -> bool:
    path, size_bytes = context.folder / str(model["path"]), int(model["size_bytes"])
    return path.is_file() and path.stat().st_size == size_bytes


def _tell(made: Exported) -> None:
    size = human_bytes(made.size_bytes)
    if made.not_checked:
        log.warning("wrote %s (%s), not checked: %s", made.path, size, made.not_checked)
        return
    log.info(
        "wrote %s (%s); %s gave the same logits for %d samples (difference %.1e, at most %.0e)",
        *(made.path, size, made.checked_by, made.samples, made.difference, made.tolerance),
    )
