"""A real training repeated, in processes of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
EPOCHS = 2
pytestmark = [pytest.mark.mindspore, pytest.mark.slow]


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """`python run.py` with these words, over the folders in `folder`."""
    return subprocess.run(
        [sys.executable, str(ROOT / "run.py"), *words],
        cwd=folder,
        env={k: v for k, v in os.environ.items() if not k.startswith("OBS_")},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Holds a finished training."""
    found = tmp_path_factory.mktemp("repeated")
    places = [f"cluster.{name}_dir={found}/{name}" for name in ("data", "output")]
    export = f"cluster.export_url={found}/exports"
    words = ["model=mlp", f"mode.epochs={EPOCHS}", "run.id=first"]
    done = run(found, *places, export, *words)
    assert done.returncode == 0, done.stderr
    return found


@pytest.mark.parametrize("place", ["output", "exports"])
def test_a_training_on_a_cpu_comes_out_bit_by_bit(folder: Path, place: str) -> None:
    """From its folder or its export: metrics, epochs and the weights of each checkpoint."""
    done = run(folder, "repeat", f"{place}/first")

    lines = done.stdout.splitlines()
    assert done.returncode == 0, done.stdout + done.stderr
    for epoch in range(1, EPOCHS + 1):
        assert [line for line in lines if re.match(rf"  weights in mlp-{epoch}.ckpt +same$", line)]
    assert [line for line in lines if re.match(r"  metric accuracy +same +0\.\d+$", line)]
    assert not [line for line in lines if "differs" in line or "not compared" in line]


def test_other_weights_are_found_out(folder: Path) -> None:
    """Here the first run is made to say that it had another seed than it had."""
    forged = folder / "forged" / "first"
    forged.parent.mkdir()
    subprocess.run(["cp", "-r", str(folder / "output" / "first"), str(forged)], check=True)
    path = forged / "config.yaml"
    path.write_text(path.read_text().replace("seed: 1", "seed: 2"), encoding="utf-8")

    done = run(folder, "repeat", str(forged), f"cluster.output_dir={folder}/forged")

    assert done.returncode == 1, done.stdout + done.stderr
    found = re.search(r"weights in mlp-1.ckpt +differs +\d+ of its parameters: ", done.stdout)
    assert found
    assert "not the same" in done.stdout


def test_two_ranks_repeat_as_two(folder: Path) -> None:
    """They read the job from a file, which is gone afterwards."""
    words = [f"cluster.{name}_dir={folder}/{name}" for name in ("data", "output")]
    export = f"cluster.export_url={folder}/exports"
    pair = ["model=mlp", "mode.epochs=1", "device.workers=2", "run.id=pair"]
    done = run(folder, *words, export, *pair)
    assert done.returncode == 0, done.stderr

    again = run(folder, "repeat", "output/pair")

    record = folder / "output" / "pair.repeat-1" / "manifest.json"
    assert again.returncode == 0, again.stdout + again.stderr
    assert json.loads(record.read_text(encoding="utf-8"))["launch"]["ranks"] == 2
    assert not list((folder / "output").glob(".*.job.json"))
