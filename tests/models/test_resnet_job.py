"""A residual network from data to model files, as one job."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.datasets.images import make_cifar10
from tests.jobs import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.mindspore]

CHOICES = ["dataset=cifar10", "model=resnet18", "model.network.stem=small", "run.id=one"]


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A set such as CIFAR-10, of 40 and 8 images, packed as CIFAR-10 is."""
    folder = tmp_path_factory.mktemp("source")
    make_cifar10(folder / "cifar-10-batches-bin", images=8, classes=2)
    packed_path = folder / "cifar-10-binary.tar.gz"
    with tarfile.open(packed_path, "w:gz") as packed:
        packed.add(folder / "cifar-10-batches-bin", "cifar-10-batches-bin")
    return packed_path


def go(folder: Path, archive: Path, *overrides: str) -> dict[str, Any]:
    """The job in a process of its own, and its manifest."""
    names = ("data_dir", "output_dir", "export_url")
    places = [f"cluster.{name}={folder}/{name}" for name in names]
    data = [f"dataset.archives.0.url={archive}", "dataset.archives.0.sha256=null"]
    numbers = ["mode.epochs=1", "mode.batch_size=8", "mode.learning_rate=0.01"]
    command = [sys.executable, "run.py", *CHOICES, *places, *data, *numbers, *overrides]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads((folder / "export_url" / "one" / "manifest.json").read_text())


def test_a_resnet_learns_is_measured_and_leaves_model_files(tmp_path: Path, archive: Path):
    """MindIR and ONNX compute what the network does, batch normalisation included."""
    manifest = go(tmp_path, archive, "mode.export_formats=[mindir,onnx]")

    stages = {stage["name"]: stage for stage in manifest["stages"]}
    models = {model["format"]: model for model in stages["convert"]["models"]}
    has_onnxruntime = importlib.util.find_spec("onnxruntime") is not None
    assert 0 <= manifest["metrics"]["accuracy"] <= 1
    assert np.isfinite(manifest["metrics"]["train_loss"])
    assert models["mindir"]["difference"] <= 1e-4
    assert (models["onnx"]["difference"] is not None) is has_onnxruntime
    assert (models["onnx"]["difference"] or 0) <= 1e-4
    for model in models.values():
        assert (tmp_path / "export_url/one" / model["path"]).stat().st_size > 40_000_000
