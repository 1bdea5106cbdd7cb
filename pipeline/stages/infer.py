"""infer: predictions.csv holds a line per test sample, samples.png and .json show some."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from pipeline.context import Context
from pipeline.data import Arrays
from pipeline.disk.files import write_atomically, write_json
from pipeline.inputs.wanted import Checkpoint
from pipeline.stage import Outlook, stage

if TYPE_CHECKING:
    from pipeline.data import Array
    from pipeline.training.session import Session

log = logging.getLogger(__name__)

_TABLE = "predictions.csv"
_PICTURE, _SAMPLES = "samples.png", "samples.json"
_WORK = "would predict the test set"


def look(context: Context) -> Outlook:
    """Done when the predictions on record are this very checkpoint's."""
    checkpoint, earlier = context.products.get("checkpoint"), context.earlier("infer")
    if earlier is None or checkpoint is None:
        return Outlook(_WORK)
    is_same = earlier.facts.get("checkpoint") == checkpoint.sha256
    files = [context.folder / name for name in earlier.facts.get("files", [_TABLE])]
    is_whole = is_same and all(path.is_file() for path in files)
    return Outlook("predicted already", "done") if is_whole else Outlook(_WORK)


@stage(look=look, runs_on="first")
def infer(context: Context, session: Session, checkpoint: Checkpoint) -> None:
    """Predicts every test sample; the table is written last, so that it means the whole."""
    from pipeline.report import samples
    from pipeline.report.tiles import Collector
    from pipeline.training import evaluation
    from pipeline.training.session import load_weights

    load_weights(session, checkpoint.path)
    collector = Collector()
    predicted, probabilities, labels = evaluation.predict(session, watch=collector.add)
    write_json(context.folder / _SAMPLES, collector.as_plain())
    files, data = [_TABLE, _SAMPLES], session.test
    # A stream's images are gone by now.
    if isinstance(data, Arrays) and data.inputs[0].ndim == 4:
        files.append(_PICTURE)
        picture = context.folder / _PICTURE
        samples.draw(data.inputs[0], predicted, probabilities, data.labels, picture)
    write_atomically(context.folder / _TABLE, _table(predicted, probabilities, labels))
    context.record(samples=len(predicted), checkpoint=checkpoint.sha256, files=files)
    # It costs nothing here, and tells at once what the predictions are worth.
    context.measured({"accuracy": float((predicted == labels).mean())})
    log.info("predicted %d test samples into %s", len(predicted), _TABLE)


def _table(predicted: Array, probabilities: Array, labels: Array) -> str:
    lines = ["index,predicted,probability,label"]
    for i, (number, probability, label) in enumerate(zip(predicted, probabilities, labels)):
        lines.append(f"{i},{int(number)},{float(probability):.6f},{int(label)}")
    return "\n".join(lines) + "\n"
