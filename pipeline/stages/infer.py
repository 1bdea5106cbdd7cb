"""infer: predictions.csv holds a line per test sample, samples.png shows some of them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from pipeline.context import Context
from pipeline.files import write_atomically
from pipeline.pretrained import Checkpoint
from pipeline.stage import Outlook, stage

if TYPE_CHECKING:
    from pipeline.data import Array
    from pipeline.training.session import Session

log = logging.getLogger(__name__)

_FILE = "predictions.csv"
_WORK = "would predict the test set"


def look(context: Context) -> Outlook:
    """Done when the predictions on record are this very checkpoint's."""
    checkpoint, earlier = context.products.get("checkpoint"), context.earlier("infer")
    is_there = (context.folder / _FILE).is_file()
    if is_there and earlier and checkpoint:
        is_same = earlier.facts.get("checkpoint") == checkpoint.sha256
        return Outlook("predicted already", "done") if is_same else Outlook(_WORK)
    return Outlook(_WORK)


@stage(look=look, runs_on="first")
def infer(context: Context, session: Session, checkpoint: Checkpoint) -> None:
    """Predicts every test sample; the table is written last, so that it means the whole."""
    from pipeline.report import samples
    from pipeline.training import evaluation
    from pipeline.training.session import load_weights

    load_weights(session, checkpoint.path)
    predicted, probabilities = evaluation.predict(session)
    data = session.test
    if data is not None and data.inputs[0].ndim == 4:
        picture = context.folder / "samples.png"
        samples.draw(data.inputs[0], predicted, probabilities, data.labels, picture)
    labels = data.labels if data is not None else None
    write_atomically(context.folder / _FILE, _table(predicted, probabilities, labels))
    context.record(samples=len(predicted), checkpoint=checkpoint.sha256)
    if labels is not None:
        context.measured({"accuracy": float((predicted == labels).mean())})
    log.info("predicted %d test samples into %s", len(predicted), _FILE)


def _table(predicted: Array, probabilities: Array, labels: Array | None) -> str:
    lines = ["index,predicted,probability,label"]
    for i, (number, probability) in enumerate(zip(predicted, probabilities)):
        label = "" if labels is None else int(labels[i])
        lines.append(f"{i},{int(number)},{float(probability):.6f},{label}")
    return "\n".join(lines) + "\n"
