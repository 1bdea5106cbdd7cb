"""MindSpore prepared once, small data, and sessions around them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pictures import MakeSession, dots

if TYPE_CHECKING:
    from pipeline.training.session import Session


@pytest.fixture(scope="session")
def _prepared(tmp_path_factory: pytest.TempPathFactory) -> None:
    os.environ.setdefault("ONEDNN_MAX_CPU_ISA", "AVX2")
    from pipeline.training import device

    device.prepare("CPU", precision="O0", seed=1, scratch=tmp_path_factory.mktemp("scratch"))


@pytest.fixture
def make_session(_prepared: None) -> MakeSession:
    """The factory of sessions; MindSpore is ready."""

    def make(**changes: Any) -> Session:
        import mindspore

        from pipeline.models.mlp import MLP
        from pipeline.training import session

        mindspore.set_seed(1)
        settings = {
            "train": dots(100),
            "test": dots(50, seed=2),
            "learning_rate": 0.05,
            "momentum": 0.9,
            "batch_size": 16,
            "seed": 1,
            "precision": "O0",
            **changes,
        }
        network = settings.pop("network", None) or MLP(4, 1, 6, [16])
        return session.build(network=network, **settings)

    return make


@pytest.fixture
def child_environment() -> dict[str, str]:
    """The environment of a child process that imports this checkout."""
    root = Path(__file__).parents[2]
    return {**os.environ, "PYTHONPATH": str(root), "ONEDNN_MAX_CPU_ISA": "AVX2"}
