"""Denormal floats are taken alike whichever thread a kernel runs on."""

from __future__ import annotations

import platform
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pipeline.training import denormals

if TYPE_CHECKING:
    from pictures import MakeSession

IS_CONCERNED = sys.platform == "linux" and platform.machine() == "x86_64"
pytestmark = pytest.mark.skipif(not IS_CONCERNED, reason="only x86 threads differ")

SMALL = np.full(100, 1.5e-38, np.float32)


def survive() -> bool:
    """Whether this thread computes with denormals."""
    return bool((SMALL * np.float32(0.5)).any())


def test_denormals_are_zero_inside_and_numbers_afterwards() -> None:
    """The thread is left as it was, also when nested."""
    assert survive()
    with denormals.flushed():
        with denormals.flushed():
            assert not survive()
        assert not survive()
    assert survive()


def test_an_error_leaves_the_thread_as_it_was() -> None:
    """An interrupted training does not change how the rest computes."""
    with pytest.raises(KeyError), denormals.flushed():
        raise KeyError

    assert survive()


@pytest.mark.mindspore
def test_a_kernel_gives_the_same_whichever_thread_runs_it(make_session: MakeSession) -> None:
    """MindSpore runs a small kernel on this thread or one of its own, as timing has it."""
    make_session()
    from mindspore import Tensor, nn

    class Half(nn.Cell):
        def construct(self, number: Tensor) -> Tensor:
            return number * 0.5

    half, small = Half(), Tensor(SMALL)

    with denormals.flushed():
        results = [half(small).asnumpy().any() for _ in range(300)]

    assert not any(results)


@pytest.mark.mindspore
def test_training_and_evaluation_flush_them(tmp_path: Path, make_session: MakeSession) -> None:
    """What training and evaluation compute does not hang on timing."""
    from pipeline.training import evaluation, loop

    session, seen = make_session(), list[bool]()

    class Watching:
        """Stands in for the network, which runs on the caller's thread."""

        def __call__(self, *inputs: object) -> object:
            seen.append(survive())
            return session.network(*inputs)

        def set_train(self, is_on: bool) -> None:
            session.network.set_train(is_on)

    loop.train(
        session,
        tmp_path,
        "net",
        epochs=1,
        progress=lambda _: seen.append(survive()),
        record=lambda _: None,
        saved=lambda _: None,
    )
    watched = replace(session, network=Watching())
    evaluation.evaluate(watched)
    evaluation.predict(watched)

    assert len(seen) >= 3
    assert not any(seen)
    assert survive()
