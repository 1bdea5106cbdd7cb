"""Batch normalisation's moving statistics are state: saved, gone on with, used when measuring."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pictures import MakeSession, dots

from pipeline.errors import CheckpointError

if TYPE_CHECKING:
    from pipeline.training.session import Session

pytestmark = pytest.mark.mindspore


def resnet(make_session: MakeSession, **changes: Any) -> Session:
    """A session around the smallest residual network, with the weights of seed 1."""
    import mindspore

    from pipeline.models.resnet import ResNet

    classes = changes.pop("classes", 4)
    settings = {
        "train": dots(40, size=8),
        "test": dots(20, size=8, seed=2),
        "batch_size": 8,
        "learning_rate": 0.01,
        **changes,
    }
    mindspore.set_seed(1)
    return make_session(network=ResNet(18, classes, 1, "small"), **settings)


def train(session: Session, folder: Path, epochs: int) -> Path:
    """Trains the session; nobody listens."""
    from pipeline.training import loop

    listeners = {name: lambda _: None for name in ("progress", "record", "saved")}
    return loop.train(session, folder, "net", epochs=epochs, **listeners)


def values(session: Session) -> dict[str, np.ndarray]:
    """All that changes while training."""
    return {name: parameter.asnumpy() for name, parameter in session.state().items()}


@pytest.mark.slow
def test_going_on_takes_the_statistics_up_again(tmp_path: Path, make_session: MakeSession):
    """A stop between two epochs changes no bit, and each epoch moves the statistics."""
    at_once, first, second = (resnet(make_session) for _ in range(3))

    train(at_once, tmp_path / "at once", 2)
    train(first, tmp_path / "in parts", 1)
    train(second, tmp_path / "in parts", 2)

    wanted, found, before = values(at_once), values(second), values(first)
    assert {name for name in wanted if not np.array_equal(wanted[name], found[name])} == set()
    for name in ("bn1.moving_mean", "layer4.1.bn2.moving_variance"):
        assert not np.array_equal(before[name], found[name])


def test_measuring_leaves_the_statistics_alone(make_session: MakeSession):
    """It uses them, so that a sample's logits do not depend on its batch."""
    from pipeline.training import evaluation

    session = resnet(make_session)
    before = {name: value.copy() for name, value in values(session).items()}

    together = evaluation.evaluate(session)
    alone = evaluation.evaluate(resnet(make_session, batch_size=1))

    after = values(session)
    assert all(np.array_equal(before[name], after[name]) for name in before)
    assert together.loss == pytest.approx(alone.loss, rel=1e-5)


def test_another_head_is_refused_by_its_name(tmp_path: Path, make_session: MakeSession):
    """Weights for other classes fit but for the classifier, and the message says so."""
    import mindspore

    from pipeline.training.session import load_weights

    path = tmp_path / "net.ckpt"
    mindspore.save_checkpoint(resnet(make_session, classes=9).network, str(path))

    with pytest.raises(CheckpointError, match=r"other shapes: classifier\.weight is \(9, 512\)"):
        load_weights(resnet(make_session), path)


@pytest.mark.slow
@pytest.mark.parametrize("parts", [1, 2])
def test_statistics_move_alike_however_many_steps_share_a_graph(
    make_session: MakeSession, parts: int
):
    """Three steps as one graph leave the bits of three steps, statistics included."""
    from mindspore import Tensor

    from pipeline.training.step import TrainStep, TrainSteps

    one_by_one, together = (resnet(make_session) for _ in range(2))
    rows = np.arange(24, dtype=np.int32).reshape(3, 8)

    step = TrainStep(one_by_one, one_by_one.optimizer, one_by_one.train, parts=parts)
    for row in rows:
        step(Tensor(row))
    several = TrainStep(together, together.optimizer, together.train, parts=parts)
    TrainSteps(several, 3)(Tensor(rows))

    wanted, found = values(one_by_one), values(together)
    assert {name for name in wanted if not np.array_equal(wanted[name], found[name])} == set()
