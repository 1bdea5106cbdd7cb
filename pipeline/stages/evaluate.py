"""evaluate: metrics.json says how good the checkpoint is on the test set, samples.json shows it."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict
from typing import TYPE_CHECKING

from pipeline.context import Context
from pipeline.disk.files import write_json
from pipeline.disk.plain import plain
from pipeline.inputs.wanted import Checkpoint
from pipeline.stage import Outlook, stage

if TYPE_CHECKING:
    from pipeline.training.session import Session

log = logging.getLogger(__name__)

_FILE, _SAMPLES = "metrics.json", "samples.json"


def look(context: Context) -> Outlook:
    """Done when metrics.json speaks of this very checkpoint."""
    checkpoint = context.products.get("checkpoint")
    try:
        found = json.loads((context.folder / _FILE).read_text(encoding="utf-8"))
        if checkpoint is not None and found["checkpoint"]["sha256"] == checkpoint.sha256:
            return Outlook(
                f"accuracy {found['accuracy']:.4f} measured already",
                "done",
                facts={"samples": found["samples"]},
                metrics={name: found[name] for name in _measured(context)},
            )
    except (OSError, ValueError, KeyError, TypeError):
        # What cannot be read is measured again.
        pass
    return Outlook("would measure the checkpoint on the test set")


def _measured(context: Context) -> list[str]:
    return ["accuracy", "loss", *context.job.mode.metrics]


@stage(look=look, runs_on="first")
def evaluate(context: Context, session: Session, checkpoint: Checkpoint) -> None:
    """Measures the checkpoint as it lies on the disk, every test sample once."""
    from pipeline.report.tiles import Collector
    from pipeline.training import evaluation
    from pipeline.training.session import load_weights

    load_weights(session, checkpoint.path)
    collector = Collector()
    found = evaluation.evaluate(session, watch=collector.add)
    write_json(context.folder / _SAMPLES, collector.as_plain())
    scores = [{"label": label, **asdict(score)} for label, score in enumerate(found.per_class)]
    metrics = {"accuracy": found.accuracy, "loss": found.loss, **found.metrics}
    report = {
        **metrics,
        "samples": found.samples,
        "checkpoint": {"source": checkpoint.source, "sha256": checkpoint.sha256},
        "per_class": scores,
        "confusion_matrix": found.confusion,
    }
    write_json(context.folder / _FILE, plain(report))
    context.measured(metrics)
    context.record(samples=found.samples)
    context.event("evaluated", **metrics)
    log.info("evaluated %d test samples: accuracy %.4f", found.samples, found.accuracy)
