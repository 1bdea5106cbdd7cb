"""The shipped networks: names, shapes, and that they learn the shipped digits."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

from pipeline.datasets import mnist
from pipeline.datasets.digits.make_digits import ZIP_PATH

pytestmark = pytest.mark.mindspore

SAMPLE_SHAPES = {
    "conv1.weight": (6, 3, 5, 5),
    "conv2.weight": (16, 6, 5, 5),
    "fc1.weight": (120, 400),
    "fc1.bias": (120,),
    "fc2.weight": (84, 120),
    "fc2.bias": (84,),
    "fc3.weight": (7, 84),
    "fc3.bias": (7,),
}


@pytest.fixture(scope="module", autouse=True)
def _prepared(tmp_path_factory: pytest.TempPathFactory) -> None:
    os.environ.setdefault("ONEDNN_MAX_CPU_ISA", "AVX2")
    from pipeline.training import device

    device.prepare("CPU", precision="O0", seed=1, scratch=tmp_path_factory.mktemp("scratch"))


def test_lenet5_has_the_samples_parameters():
    """Names and shapes are those of the official sample, so that its checkpoints load."""
    from pipeline.models.lenet5 import LeNet5

    network = LeNet5(7, 3)

    assert {p.name: tuple(p.shape) for p in network.get_parameters()} == SAMPLE_SHAPES


@pytest.mark.parametrize("hidden", [[], [8], [8, 5]])
def test_the_mlp_gives_logits(hidden: list[int]):
    """Any number of hidden layers leads from images to classes."""
    from mindspore import Tensor

    from pipeline.models.mlp import MLP

    logits = MLP(7, 3, 4, hidden)(Tensor(np.ones((2, 3, 4, 4), np.float32)))

    assert logits.shape == (2, 7)


@pytest.mark.slow
def test_lenet5_learns_the_digits(tmp_path: Path):
    """The shipped settings tell 97 of 100 unseen digits right."""
    from pipeline.models.lenet5 import LeNet5
    from pipeline.training import evaluation, loop, session

    with zipfile.ZipFile(ZIP_PATH) as archive:
        archive.extractall(tmp_path)
    built = session.build(
        network=LeNet5(10, 1),
        train=mnist.load([tmp_path], "train", size=32),
        test=mnist.load([tmp_path], "test", size=32),
        learning_rate=0.015,
        momentum=0.9,
        batch_size=32,
        seed=1,
        precision="O0",
    )

    loop.train(
        built,
        tmp_path / "checkpoints",
        "lenet5",
        epochs=30,
        progress=lambda _: None,
        record=lambda _: None,
        saved=lambda _: None,
    )

    assert evaluation.evaluate(built).accuracy >= 0.97
