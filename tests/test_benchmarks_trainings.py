"""The trainings that ours is compared with do the same work."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import data, jobs, tools
from benchmarks.measure import MeasuringError, run


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
    assert 0 < told_s < 10


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
