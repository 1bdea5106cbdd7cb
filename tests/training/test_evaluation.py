"""Evaluation counts every sample once, and is never rounded."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from pictures import dots, streamed

from pipeline.errors import DatasetError

if TYPE_CHECKING:
    from pictures import MakeSession

pytestmark = pytest.mark.mindspore


@pytest.mark.parametrize("samples", [1, 50, 1001, 2500])
def test_results_are_those_of_plain_numpy(make_session: MakeSession, samples: int):
    """Whatever remains for the last batch, results equal a computation by hand."""
    from pipeline.training import evaluation

    session = make_session(train=None, test=dots(samples))
    layers = [p.asnumpy().astype(np.float64) for p in session.weights().values()]
    pixels = session.test.inputs[0].reshape(samples, -1)
    hidden = np.maximum(pixels @ layers[0].T + layers[1], 0)
    logits = hidden @ layers[2].T + layers[3]
    labels = session.test.labels
    normal = np.log(np.exp(logits).sum(1))

    found = evaluation.evaluate(session)

    assert found.samples == samples
    assert found.accuracy == (logits.argmax(1) == labels).sum() / samples
    assert found.loss == pytest.approx((normal - logits[np.arange(samples), labels]).mean())
    for label, row in enumerate(found.confusion):
        expected = np.bincount(logits.argmax(1)[labels == label], minlength=4)
        assert row == expected.tolist()
    assert sum(score.support for score in found.per_class) == samples


@pytest.mark.usefixtures("make_session")
def test_scores_of_classes():
    """Precision, recall and F1 by their definitions; a class nobody saw scores 0."""
    from pipeline.training.evaluation import ClassScore, class_scores

    scores = class_scores(np.array([[3, 1, 0], [1, 5, 0], [0, 0, 0]]))

    assert scores[0] == ClassScore(precision=0.75, recall=0.75, f1=0.75, support=4)
    assert scores[1].recall == 5 / 6
    assert scores[2] == ClassScore(precision=0.0, recall=0.0, f1=0.0, support=0)


def test_predictions_come_in_file_order_with_their_probability(make_session: MakeSession):
    """One class and one probability per sample, which agree with the evaluation."""
    from pipeline.training import evaluation

    session = make_session(train=None, test=dots(1100))

    predicted, probabilities, labels = evaluation.predict(session)

    assert labels.tolist() == session.test.labels.tolist()
    assert predicted.shape == probabilities.shape == (1100,)
    assert probabilities.min() >= 1 / 4
    assert probabilities.max() <= 1
    assert (predicted == session.test.labels).mean() == evaluation.evaluate(session).accuracy


def test_a_label_too_high_is_refused(make_session: MakeSession):
    """A label that the network cannot give is no wrong prediction, but a wrong job."""
    from pipeline.training import evaluation

    with pytest.raises(DatasetError, match=r"label 5.*4 classes"):
        evaluation.evaluate(make_session(train=None, test=dots(60, classes=6)))


def test_no_test_data_is_refused(make_session: MakeSession):
    """Evaluation needs a test split, and says so."""
    from pipeline.training import evaluation

    with pytest.raises(DatasetError, match="no test data"):
        evaluation.evaluate(make_session(test=None))


def test_a_stream_is_measured_as_if_it_were_in_memory(make_session: MakeSession):
    """The same numbers, a short last batch included."""
    from pipeline.training import evaluation

    data = dots(1001)

    whole = evaluation.evaluate(make_session(train=None, test=data))

    assert evaluation.evaluate(make_session(train=None, test=streamed(data))) == whole


@pytest.mark.parametrize("is_stream", [False, True])
def test_a_watcher_sees_every_sample(make_session: MakeSession, is_stream: bool):
    """Inputs, labels, predictions and probabilities, batch by batch; the same pages follow."""
    from pipeline.report.tiles import Collector
    from pipeline.training import evaluation

    data = dots(70)
    session = make_session(train=None, test=streamed(data) if is_stream else data)
    measured, inferred, plain = Collector(), Collector(), Collector()

    evaluation.evaluate(session, watch=measured.add)
    predicted, probabilities, labels = evaluation.predict(session, watch=inferred.add)

    plain.add(data.inputs, labels, predicted, probabilities)
    assert measured.as_plain() == inferred.as_plain() == plain.as_plain()
    assert measured.total == 70


def test_a_stream_that_lacks_test_samples_is_refused(make_session: MakeSession):
    """A metric over part of the split would pretend to be one over the whole."""
    from pipeline.training import evaluation

    whole = streamed(dots(60))
    short = replace(whole, open=lambda share: whole.open(replace(share, indices=range(30))))

    with pytest.raises(DatasetError, match="gave 30 test samples; expected 60"):
        evaluation.evaluate(make_session(train=None, test=short))
