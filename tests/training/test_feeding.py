"""Batches reach the step from memory or a stream, one or several a graph, with the same result."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pictures import dots, streamed

from pipeline.data import Share, Stream
from pipeline.errors import DatasetError, DeviceError

if TYPE_CHECKING:
    from pictures import MakeSession

    from pipeline.training.session import Session

pytestmark = pytest.mark.mindspore


def train(session: Session, folder: Path, **changes: Any) -> list[dict[str, float]]:
    """The rows of three epochs, but for the times in them."""
    from pipeline.training import loop

    rows: list[dict[str, float]] = []
    settings = {"epochs": 3, "progress": lambda _: None, "saved": lambda _: None, **changes}
    loop.train(session, folder, "net", record=rows.append, **settings)
    return [{n: v for n, v in row.items() if n in ("epoch", "step", "loss")} for row in rows]


def digest(session: Session) -> str:
    """The SHA-256 over all weights and optimizer state."""
    state = sorted(session.state().items())
    return hashlib.sha256(b"".join(p.asnumpy().tobytes() for _, p in state)).hexdigest()


def test_several_steps_as_one_graph_are_the_same_bits(make_session: MakeSession):
    """Losses, counts, weights and moments are those of the steps one by one."""
    from mindspore import Tensor

    from pipeline.training import order
    from pipeline.training.step import TrainStep, TrainSteps

    batches = order.batches(100, 10, seed=1, epoch=1)
    alone, together = make_session(), make_session()
    step = TrainStep(alone, alone.optimizer, alone.train)
    steps = TrainSteps(TrainStep(together, together.optimizer, together.train), 5)

    one_by_one = [step(Tensor(batch)) for batch in batches]
    by_five = [steps(Tensor(batches[start : start + 5])) for start in (0, 5)]

    assert digest(alone) == digest(together)
    for column in (0, 1):
        expected = [result[column].asnumpy().item() for result in one_by_one]
        assert [v for result in by_five for v in result[column].asnumpy().tolist()] == expected


@pytest.mark.slow
def test_a_training_with_several_steps_a_graph_is_the_same(
    tmp_path: Path, make_session: MakeSession, caplog: pytest.LogCaptureFixture
):
    """With steps left over at an epoch's end too; rows and weights do not change."""
    from pipeline.training.plan import Plan

    caplog.set_level("INFO")
    alone, together = make_session(batch_size=2), make_session(batch_size=2)
    options = {"epochs": 12}

    expected = train(alone, tmp_path / "alone", **options)
    told: list[str] = []

    @contextlib.contextmanager
    def compiling() -> Iterator[None]:
        told.append(caplog.text)
        yield
        told.append(caplog.text)

    plan = Plan(steps_per_graph=7)
    found = train(together, tmp_path / "together", plan=plan, compiling=compiling, **options)

    assert "compiled 6 training steps as one graph" in caplog.text
    # Both graphs, and nothing was said of either before it was left.
    assert len(told) == 4
    assert told[0] == told[1]
    assert told[2] == told[3]
    assert found == expected
    assert digest(together) == digest(alone)


@given(
    limit=st.integers(1, 50),
    step_s=st.floats(1e-5, 10),
    steps=st.integers(1, 5000),
    epochs=st.integers(1, 100),
)
@pytest.mark.usefixtures("make_session")
def test_graphs_end_soon_and_leave_few_steps_over(
    limit: int, step_s: float, steps: int, epochs: int
):
    """Never longer than asked for, than half a second or than an epoch."""
    from pipeline.training.feeding import graph_length

    found = graph_length(limit, step_s=step_s, steps_per_epoch=steps, steps_left=steps * epochs)

    assert 1 <= found <= min(limit, steps)
    assert found == 1 or found * step_s <= 0.5
    assert steps % found < max(steps // found, 1) or steps % found < found


def test_a_stream_trains_like_data_in_memory(tmp_path: Path, make_session: MakeSession):
    """The same order, the same rows, the same bits."""
    held, read = make_session(), make_session(train=streamed(dots(100)), test=None)

    expected = train(held, tmp_path / "held")
    found = train(read, tmp_path / "read")

    assert found == expected
    assert digest(read) == digest(held)


def test_a_stream_is_told_its_share(tmp_path: Path, make_session: MakeSession):
    """Each epoch has its own order and seed, the same in every training."""
    shares: list[Share] = []
    whole = streamed(dots(100))

    def watched(share: Share) -> Any:
        shares.append(share)
        return whole.open(share)

    for name in ("first", "second"):
        session = make_session(train=replace(whole, open=watched), test=None)
        train(session, tmp_path / name, epochs=2)

    probe, first, second, *again = shares
    assert again == [probe, first, second]
    assert first.seed != second.seed
    assert first.batches == second.batches == 6
    assert sorted(first.indices) != list(first.indices) != list(second.indices)
    assert len(set(first.indices)) == len(first.indices) == 96


@pytest.mark.parametrize(("batches", "size"), [(5, 16), (7, 16), (6, 15)])
def test_a_stream_with_other_batches_than_asked_for_is_refused(
    tmp_path: Path, make_session: MakeSession, batches: int, size: int
):
    """An epoch that lacks samples, or has too many, is no epoch."""
    whole = streamed(dots(112))

    def lacking(_share: Share) -> Any:
        return whole.open(Share(range(batches * size), size, None))

    stream = Stream(100, whole.columns, 4, lacking)

    with pytest.raises(DatasetError, match="the stream gave"):
        train(make_session(train=stream, test=None), tmp_path)


def test_accumulated_gradients_are_those_of_the_whole_batch(
    tmp_path: Path, make_session: MakeSession
):
    """Four parts of eight move the weights as one batch of 32 does, up to rounding."""
    whole = make_session(batch_size=32, precision="O0")
    parted = make_session(batch_size=8, accumulation=4)

    expected = train(whole, tmp_path / "whole")
    found = train(parted, tmp_path / "parted")

    assert [row["step"] for row in found] == [row["step"] for row in expected] == [3, 6, 9]
    assert [r["loss"] for r in found] == pytest.approx([r["loss"] for r in expected], rel=1e-4)
    for name, weight in whole.weights().items():
        other = parted.weights()[name].asnumpy()
        assert np.allclose(other, weight.asnumpy(), atol=1e-5)


def test_a_device_without_a_data_sink_is_told(tmp_path: Path, make_session: MakeSession):
    """The error names the key to change."""
    from pipeline.training.plan import Plan

    session = make_session(train=streamed(dots(100)), test=None)

    with pytest.raises(DeviceError, match=r"device\.data_sink=false"):
        train(session, tmp_path, plan=Plan(data_sink=True))
