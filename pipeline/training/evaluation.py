"""What a network makes of a split: predictions, and how right they are."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from mindspore import Tensor

from pipeline.data import Arrays, Data, Share, Stream
from pipeline.errors import DatasetError
from pipeline.training import denormals, interrupts
from pipeline.training.learning import measured
from pipeline.training.session import Session, explaining_shapes

if TYPE_CHECKING:
    from pipeline.data import Array

    # Sees each batch: inputs, labels, predicted classes and their probabilities.
    Watch = Callable[[Sequence[Array], Array, Array, Array], None]


@dataclass(frozen=True)
class ClassScore:
    """How well one class is told from the others; 0.0 where nothing was predicted or present."""

    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True)
class Evaluation:
    """Unrounded results over a whole split; `confusion[label][prediction]` counts samples."""

    accuracy: float
    loss: float
    samples: int
    confusion: list[list[int]]
    per_class: list[ClassScore]
    metrics: dict[str, float] = field(default_factory=dict)


@interrupts.heard()
@denormals.flushed()
def evaluate(session: Session, watch: Watch | None = None) -> Evaluation:
    """The network's results on the session's test data, every sample counted once.

    `watch` sees every batch with what the network makes of it, in file order.

    Raises:
        DatasetError: the network cannot work on the data, or there are none.
    """
    data = _test_data(session)
    loss_sum, confusion = 0.0, np.zeros((0, 0), np.int64)
    seen: list[tuple[Array, Array]] = []
    for inputs, labels, logits in _logits(session, data):
        classes = logits.shape[1]
        if int(labels.max()) >= classes:
            raise DatasetError(
                f"the test data have a label {int(labels.max())}, but the network tells {classes} "
                f"classes apart. Change the model's classes or the dataset."
            )
        likely, predicted = _log_probabilities(logits), logits.argmax(1)
        loss_sum -= math.fsum(likely[np.arange(len(labels)), labels])
        if watch is not None:
            watch(inputs, labels, predicted, np.exp(likely.max(1)))
        if session.metrics:
            seen.append((logits.astype(np.float32), labels))
        pairs = np.bincount(labels * classes + predicted, minlength=classes * classes)
        confusion = pairs.reshape(classes, classes) + (confusion if confusion.size else 0)
    return Evaluation(
        accuracy=int(np.trace(confusion)) / len(data),
        loss=loss_sum / len(data),
        samples=len(data),
        confusion=confusion.tolist(),
        per_class=class_scores(confusion),
        metrics=_metrics(session, seen),
    )


@interrupts.heard()
@denormals.flushed()
def predict(session: Session, watch: Watch | None = None) -> tuple[Array, Array, Array]:
    """Of each test sample the predicted class, its probability (float64) and the label, all (n,).

    `watch` sees every batch with that, in file order.

    Raises:
        DatasetError: the network cannot work on the data, or there are none.
    """
    found: list[tuple[Array, Array, Array]] = []
    for inputs, labels, logits in _logits(session, _test_data(session)):
        found.append((logits.argmax(1), np.exp(_log_probabilities(logits).max(1)), labels))
        if watch is not None:
            watch(inputs, labels, *found[-1][:2])
    predicted, probabilities, labels = (np.concatenate(column) for column in zip(*found))
    return predicted, probabilities, labels


def class_scores(confusion: Array) -> list[ClassScore]:
    """Precision, recall, F1 and support of each class, from counts[label][prediction]."""
    right, predicted, present = confusion.diagonal(), confusion.sum(0), confusion.sum(1)
    return [
        ClassScore(
            precision=_ratio(right[i], predicted[i]),
            recall=_ratio(right[i], present[i]),
            f1=_ratio(2 * right[i], predicted[i] + present[i]),
            support=int(present[i]),
        )
        for i in range(len(confusion))
    ]


def _metrics(session: Session, seen: list[tuple[Array, Array]]) -> dict[str, float]:
    if not seen:
        return {}
    logits, labels = (np.concatenate(column) for column in zip(*seen))
    return measured(session.metrics, logits, labels)


def _test_data(session: Session) -> Data:
    if session.test is None:
        raise DatasetError(
            "the session has no test data; expected some. Build it with a test split."
        )
    return session.test


def _logits(session: Session, data: Data) -> Iterator[tuple[list[Array], Array, Array]]:
    """Of each batch the inputs, the labels, and the logits as float64, in file order."""
    session.network.set_train(False)
    # Batches of one size, so that one graph serves all; padding stays below a sample per batch.
    size = math.ceil(len(data) / math.ceil(len(data) / session.batch_size))
    batches = _streamed(data, size) if isinstance(data, Stream) else _sliced(data, size)
    for *inputs, labels in batches:
        padded = [_padded(column, size) for column in inputs]
        with explaining_shapes(session, data):
            logits = session.network(*(Tensor(column) for column in padded)).asnumpy()
        yield inputs, labels, logits[: len(labels)].astype(np.float64)


def _sliced(data: Arrays, size: int) -> Iterator[list[Array]]:
    for start in range(0, len(data), size):
        yield [column[start : start + size] for column in data.columns.values()]


def _streamed(data: Stream, size: int) -> Iterator[list[Array]]:
    dataset = data.open(Share(range(len(data)), size, seed=None))
    given = 0
    for batch in dataset.create_tuple_iterator(num_epochs=1, output_numpy=True):
        given += len(batch[-1])
        yield list(batch)
    if given != len(data):
        raise DatasetError(
            f"the stream gave {given} test samples; expected {len(data)}. Look at the loader: a "
            f"short last batch counts where the share has no seed."
        )


def _padded(column: Array, size: int) -> Array:
    missing = size - len(column)
    return np.concatenate([column, np.repeat(column[-1:], missing, axis=0)]) if missing else column


def _log_probabilities(logits: Array) -> Array:
    shifted = logits - logits.max(1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(1, keepdims=True)))


def _ratio(part: int, whole: int) -> float:
    return float(part / whole) if whole else 0.0
