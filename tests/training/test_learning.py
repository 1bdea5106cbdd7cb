"""Any optimizer, schedule, loss and metric: at work, stopped and gone on with, and refused."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pipeline.errors import StoppedEarlyError, TrainingError
from pipeline.training import schedules
from pipeline.training.metrics import top_k

if TYPE_CHECKING:
    from pictures import MakeSession

    from pipeline.training.session import Session

pytestmark = pytest.mark.mindspore
EPOCHS = 3


def recipe(name: str = "Momentum", **changes: Any) -> Any:
    """A recipe with MindSpore's optimizer of this name, called with what it takes."""
    from pipeline.job.calls import Call
    from pipeline.job.manners import make
    from pipeline.training.learning import Recipe

    offered = ("momentum", "loss_scale")
    call = Call(f"mindspore.nn.{name}", 1, {}, given=("learning_rate",), offered=offered)
    return Recipe(**{"optimizer": partial(make, call), **changes})


def train(session: Session, folder: Path, *, stop_after: int | None = None) -> list[Any]:
    """The rows of three epochs, or of those before a stop after so many questions."""
    from pipeline.training import loop

    rows: list[Any] = []
    asked = iter(range(1000))
    loop.train(
        session,
        folder,
        "net",
        epochs=EPOCHS,
        progress=lambda _: None,
        record=rows.append,
        saved=lambda _: None,
        should_stop=lambda: next(asked) == stop_after,
    )
    return rows


def bits(session: Session) -> dict[str, bytes]:
    """The whole state."""
    return {name: p.asnumpy().tobytes() for name, p in session.state().items()}


# RMSProp is not among them: on a CPU its moments differ in the last bit after going on, though all
# of its state has come back.
@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["Momentum", "SGD", "Adam", "AdamWeightDecay", "Adagrad"])
@pytest.mark.parametrize("schedule", [schedules.constant, schedules.cosine])
def test_stopped_and_gone_on_with_it_is_the_same_bits(
    tmp_path: Path, make_session: MakeSession, optimizer: str, schedule: Any
):
    """Moments, counters and the place in the schedule come back with the state."""

    def make() -> Session:
        chosen = recipe(optimizer, schedule=schedule)
        return make_session(recipe=chosen, epochs=EPOCHS, learning_rate=0.01)

    whole, parted = make(), make()
    train(whole, tmp_path / "whole")

    with pytest.raises(StoppedEarlyError):
        train(parted, tmp_path / "parted", stop_after=9)
    again = make()
    train(again, tmp_path / "parted")

    assert bits(again) == bits(whole)


def test_each_step_has_the_rate_of_its_place(tmp_path: Path, make_session: MakeSession):
    """With a rate of 0 after the first epoch, the weights stay what they were then."""

    def only_first(rate: float, steps: int, epochs: int) -> list[float]:
        return [rate] * steps + [0.0] * (steps * (epochs - 1))

    session = make_session(recipe=recipe("SGD", schedule=only_first), epochs=EPOCHS, momentum=0.0)
    before = bits(session)
    rows = train(session, tmp_path)

    from pipeline.training import checkpoints, parameters

    first = parameters.read(checkpoints.path_of(tmp_path, "net", 1))
    assert rows[1]["loss"] < rows[0]["loss"]
    assert [session.rate_at(step) for step in (0, 5, 6, 999)] == [0.05, 0.05, 0.0, 0.0]
    for name, weight in session.weights().items():
        assert weight.asnumpy().tobytes() == first[name].asnumpy().tobytes() != before[name]


def test_a_training_longer_than_its_rates_stays_at_the_last(
    tmp_path: Path, make_session: MakeSession
):
    """Steps counted before going on with larger batches do not lead beyond the rates."""

    def falling(rate: float, steps: int, epochs: int) -> list[float]:
        return [rate / 2] + [rate] * (steps * epochs - 1)

    session = make_session(recipe=recipe(schedule=falling), epochs=1)

    losses = [row["loss"] for row in train(session, tmp_path)]

    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < losses[-2]


def test_rates_are_the_jobs_and_not_the_checkpoints(tmp_path: Path, make_session: MakeSession):
    """A training that goes on with another rate, or schedule, learns by that one."""
    from pipeline.training import parameters
    from pipeline.training.checkpoints import path_of

    with pytest.raises(StoppedEarlyError):
        train(make_session(), tmp_path, stop_after=9)
    still = recipe(schedule=lambda rate, steps, epochs: [rate] + [0.0] * (steps * epochs - 1))
    session = make_session(recipe=still, epochs=EPOCHS, momentum=0.0)

    train(session, tmp_path)

    # The rate of its first step was left behind with the steps before the stop.
    second = parameters.read(path_of(tmp_path, "net", 2))
    assert {"learning_rate", "momentum"}.isdisjoint(second)
    for name, weight in session.weights().items():
        assert weight.asnumpy().tobytes() == second[name].asnumpy().tobytes()


def test_scaled_gradients_reach_every_optimizer_unscaled(tmp_path: Path, make_session: MakeSession):
    """One that knows no loss scale takes the steps in half precision that it takes in full."""
    losses = {}
    for precision in ("O0", "O2"):
        chosen = recipe("AdamWeightDecay")
        session = make_session(recipe=chosen, precision=precision, learning_rate=0.01)
        losses[precision] = [row["loss"] for row in train(session, tmp_path / precision)]

    assert losses["O2"] == pytest.approx(losses["O0"], rel=0.03)


def test_another_loss_trains(tmp_path: Path, make_session: MakeSession):
    """Label smoothing keeps the loss up, and the digits are learnt all the same."""
    from mindspore import nn

    smoothed = recipe(loss=lambda **_: nn.CrossEntropyLoss(label_smoothing=0.5))
    rows = train(make_session(recipe=smoothed), tmp_path / "a")
    plain = train(make_session(), tmp_path / "b")

    assert rows[-1]["loss"] < rows[0]["loss"]
    assert rows[-1]["loss"] > plain[-1]["loss"] + 0.2


def test_metrics_stand_beside_the_accuracy(make_session: MakeSession):
    """Each is measured on the whole split at once."""
    from pipeline.training import evaluation

    metrics = {"top_1": partial(top_k, k=1), "seen": lambda _, labels: len(labels)}
    found = evaluation.evaluate(make_session(recipe=recipe(metrics=metrics)))

    assert found.metrics == {"top_1": found.accuracy, "seen": 50.0}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"optimizer": lambda *_, **__: 3}, "mode.optimizer makes a int; expected a mindspore"),
        ({"schedule": lambda *_: [0.1]}, "mode.schedule gives 1 numbers, from 0.1 to 0.1; exp"),
        ({"schedule": lambda *_: "fast"}, "mode.schedule gives no list of numbers"),
        ({"schedule": lambda r, s, e: [-r] * (s * e)}, "from -0.05 to -0.05; expected 18 finite"),
        ({"schedule": lambda r, s, e: [r / 0.05 * np.inf] * (s * e)}, "some that are not finite"),
        ({"metrics": {"all": lambda logits, _: logits}}, "mode.metrics.all gives ndarray"),
        ({"metrics": {"few": partial(top_k, k=0)}}, "k is 0; expected a whole number from 1"),
    ],
)
def test_what_is_not_what_it_is_taken_for_is_refused(
    make_session: MakeSession, changes: dict[str, Any], message: str
):
    """The session is not built, and the key is named."""
    with pytest.raises(TrainingError) as caught:
        make_session(recipe=recipe(**changes), epochs=EPOCHS)

    assert message in str(caught.value)


def test_arguments_that_an_optimizer_refuses_are_told(make_session: MakeSession):
    """MindSpore's own words are in the message."""
    from mindspore import nn

    with pytest.raises(
        TrainingError, match=r"mode\.optimizer refuses its arguments .*weight_decay"
    ):
        make_session(recipe=recipe(optimizer=partial(nn.Momentum, weight_decay=-1.0)))


def test_hidden_signatures_are_seen():
    """MindSpore's decorators hide what its optimizers take; names are checked all the same."""
    from mindspore import nn

    from pipeline.job.calls import signature_of

    assert list(signature_of(nn.Momentum).parameters)[:3] == ["params", "learning_rate", "momentum"]
    assert "momentum" not in signature_of(nn.Adam).parameters
    assert "loss_scale" not in signature_of(nn.AdamWeightDecay).parameters
