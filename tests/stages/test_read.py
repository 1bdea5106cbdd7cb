"""The sample read_imagenet as a job: a tiny mount is read in place, and what came of it is told."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.manifest import StageRecord
from pipeline.stages import read
from tests.datasets.images import make_image_folders
from tests.jobs import ROOT
from tests.running import context_of, files_below, make_job


def go(folder: Path, mount: Path) -> subprocess.CompletedProcess[str]:
    """The recipe, with its mount and its places below a folder."""
    names = ("data_dir", "output_dir", "export_url")
    command = [
        *(sys.executable, "run.py", "experiment=read_imagenet", "run.id=one", "device=cpu"),
        *(f"cluster.{name}={folder}/{name}" for name in names),
        *(f"dataset.archives.0.url={mount}", "mode.batch_size=4", "mode.batches=2"),
    ]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.slow
@pytest.mark.mindspore
def test_a_mounted_imagenet_is_read_in_place(tmp_path: Path) -> None:
    """So many batches of each split, and the pipeline as MindSpore writes it; no copy is made."""
    mount = tmp_path / "mount"
    make_image_folders(mount, images=5)
    before = files_below(mount)

    done = go(tmp_path, mount)

    assert done.returncode == 0, done.stderr
    exported = tmp_path / "export_url" / "one"
    manifest = json.loads((exported / "manifest.json").read_text())
    stages = {stage["name"]: stage for stage in manifest["stages"]}
    for split in ("train", "test"):
        found = stages["read"][split]
        assert (found["samples"], found["read"]) == (10, 8)
        assert found["shapes"]["image"] == "float32 (4, 3, 224, 224)"
    described = json.loads((exported / "pipelines" / "train.json").read_text())
    assert "ImageFolderDataset" in json.dumps(described)
    assert "RandomCropDecodeResize" in json.dumps(described)
    assert files_below(mount) == before
    assert "already done" in go(tmp_path, mount).stdout


@pytest.mark.slow
@pytest.mark.mindspore
def test_a_damaged_image_is_named(tmp_path: Path) -> None:
    """The job fails with the file's own name, without MindSpore's words around it."""
    mount = tmp_path / "mount"
    make_image_folders(mount, images=2)
    (mount / "val" / "n01440764" / "n01440764_0.JPEG").write_bytes(b"no image")

    done = go(tmp_path, mount)

    assert done.returncode == 1
    manifest = json.loads((tmp_path / "output_dir" / "one" / "manifest.json").read_text())
    message = manifest["error"]["message"]
    assert message.startswith("after 0 of 4 samples the data could not be read: map operation")
    assert "n01440764/n01440764_0.JPEG" in message
    assert "Exception thrown" not in message


def test_what_was_read_is_not_read_again(tmp_path: Path) -> None:
    """The record of an earlier start is enough."""
    mode = {"batch_size": 4, "batches": 2}
    context = context_of(make_job(tmp_path, mode=mode))
    record = StageRecord(name="read", status="done", seconds=1.0)
    earlier = replace(context, previous=context.manifest.with_stage(record))

    assert read.look(context).text == "would read 2 x 4 samples of each split"
    assert read.look(earlier).state == "done"
