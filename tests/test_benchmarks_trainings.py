"""The trainings that ours is compared with do the same work."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks import data, jobs, tools
from benchmarks.measure import MeasuringError, run
from pipeline.data import Share
from pipeline.datasets import mnist


@pytest.mark.slow
@pytest.mark.mindspore
def test_bare_loop_does_the_work_of_the_job(tmp_path: Path) -> None:
    """Its weights are the job's, bit by bit, and others are told from them."""
    images = data.make("images-960", tmp_path)
    bare = tools.trainer("bare", str(images), str(tmp_path / "bare.ckpt"))
    told_s = run(bare, folder=tmp_path, variables=jobs.device_variables()).told_s
    run(jobs.training(images, str(tmp_path), "mode.epochs=3"), folder=tmp_path)

    second, third = (
        str(next(tmp_path.glob(f"outputs/*/checkpoints/lenet5-{epoch}.ckpt"))) for epoch in (2, 3)
    )
    run(tools.trainer("compare", str(tmp_path / "bare.ckpt"), second), folder=tmp_path)
    with pytest.raises(MeasuringError, match=r"differ in conv1\.weight"):
        run(tools.trainer("compare", str(tmp_path / "bare.ckpt"), third), folder=tmp_path)
    assert told_s is not None
    assert 0 < told_s < 60


@pytest.mark.slow
@pytest.mark.mindspore
def test_samples_way_copies_everything_again(tmp_path: Path) -> None:
    """Three epochs leave three checkpoints, which were copied six times."""
    images = data.make("images-96", tmp_path)
    command = tools.trainer("sample", str(images), str(tmp_path), "--epochs=3")

    run(command, folder=tmp_path, variables=jobs.device_variables())

    checkpoints = list((tmp_path / "place").glob("*.ckpt"))
    copied_bytes = int((tmp_path / "copied_bytes").read_text(encoding="utf-8"))
    assert len(checkpoints) == 3
    assert copied_bytes >= 6 * checkpoints[0].stat().st_size


@pytest.mark.slow
@pytest.mark.mindspore
def test_watched_job_tells_what_the_export_took(tmp_path: Path) -> None:
    """Handing files over takes time, and less than the job; the job is a job as any other."""
    images = data.make("images-96", tmp_path)
    job = jobs.training(images, str(tmp_path), "mode.epochs=1", "run.id={unique}")

    usage = run(tools.trainer("watched", str(tmp_path / "seconds"), *job[2:]), folder=tmp_path)

    assert 0 < float((tmp_path / "seconds").read_text(encoding="utf-8")) < usage.wall_s
    (manifest,) = tmp_path.glob("exports/*/manifest.json")
    assert len(manifest.parent.name) == 32


@pytest.mark.mindspore
def test_streamed_images_are_those_in_memory(tmp_path: Path) -> None:
    """The same samples in the asked order, prepared alike to a grey level."""
    from benchmarks.trainings import streamed

    images = data.make("images-96", tmp_path)
    held = mnist.load([images], "train", size=32)

    stream = streamed.load([images], "train", size=32)

    indices = [5, 95, 0, 7]
    (batch,) = stream.open(Share(indices, 4, seed=1)).create_tuple_iterator(output_numpy=True)
    assert len(stream) == 96
    np.testing.assert_array_equal(batch[1], held.labels[indices])
    grey_level = 1 / (255 * mnist.DEVIATION)
    np.testing.assert_allclose(batch[0], held.columns["image"][indices], atol=1.01 * grey_level)
