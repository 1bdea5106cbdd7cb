"""convert beforehand and in a job: which model files are asked for, and which are there."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.context import Context
from pipeline.inputs.wanted import Checkpoint
from pipeline.manifest import StageRecord
from pipeline.stages import convert
from tests.jobs import ROOT, composed, mistakes_of
from tests.running import context_of, make_job

pytestmark = pytest.mark.usefixtures("quick_jobs")

CHECKPOINT = Checkpoint(Path("a.ckpt"), "f" * 64, "this training")
STAGES = ["fetch", "extract", "build", "train", "evaluate"]


def test_the_stage_comes_along_with_the_formats() -> None:
    """A mode's own list need not name it; without formats nothing is added."""
    plain, asked = composed().job, composed("mode.export_formats=[mindir,onnx]").job
    without_export = composed("mode.export_formats=[onnx]", "mode.stages=[fetch,extract,build]").job

    assert plain.mode.stages == (*STAGES, "export")
    assert asked.mode.stages == (*STAGES, "convert", "export")
    assert without_export.mode.stages[-1] == "convert"
    assert asked.run_id == plain.run_id


def test_a_stage_that_was_listed_stays_where_it_is() -> None:
    """It is not taken twice."""
    stages = "mode.stages=[fetch,extract,build,train,convert,evaluate,export]"

    job = composed(stages, "mode.export_formats=[onnx]").job

    assert job.mode.stages == (*STAGES[:4], "convert", "evaluate", "export")


@pytest.mark.parametrize("mode", ["evaluate", "infer"])
def test_a_checkpoint_of_others_can_be_converted(mode: str) -> None:
    """Every mode with a network and a checkpoint writes model files."""
    job = composed(f"mode={mode}", "mode.checkpoint=x", "mode.export_formats=[onnx]").job

    assert job.mode.stages[-2:] == ("convert", "export")


def test_what_is_wrong_with_the_formats_is_said_beforehand() -> None:
    """A format that is none, and a job without a network to write."""
    unknown = mistakes_of("mode.export_formats=[onx]")
    nothing = mistakes_of("mode.export_formats=[onnx]", "mode.stages=[fetch,extract,export]")

    assert "expected one of 'mindir' or 'onnx'" in unknown["mode.export_formats.0"].problem
    assert set(nothing) == {"mode.export_formats"}
    assert "needs 'session'" in nothing["mode.export_formats"].problem


def context_with(tmp_path: Path, *formats: str) -> Context:
    """The context of a job that has a checkpoint and wants these formats."""
    context = context_of(make_job(tmp_path, mode={"export_formats": list(formats)}))
    context.products["checkpoint"] = CHECKPOINT
    return context


def written(context: Context, *names: str, sha256: str = CHECKPOINT.sha256) -> Context:
    """The same context after an earlier start that wrote these formats."""
    models: list[dict[str, Any]] = []
    for name in names:
        path = context.folder / "exported" / f"net.{name}"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"model")
        models.append({"format": name, "path": f"exported/net.{name}", "size_bytes": 5})
    facts = {"name": "convert", "status": "done", "seconds": 1.0}
    record = StageRecord.model_validate({**facts, "checkpoint": sha256, "models": models})
    return replace(context, previous=context.manifest.with_stage(record))


def test_no_formats_is_a_reason_to_skip(tmp_path: Path) -> None:
    """A list that names the stage may have nothing to write."""
    outlook = convert.look(context_with(tmp_path))

    assert (outlook.state, outlook.text) == ("done", "mode.export_formats is empty")


def test_what_was_written_is_not_written_again(tmp_path: Path) -> None:
    """Fewer formats than before are done, more are not."""
    one, both = context_with(tmp_path, "onnx"), context_with(tmp_path, "onnx", "mindir")

    assert convert.look(one).state == "todo"
    assert convert.look(written(one, "onnx", "mindir")).state == "done"
    assert convert.look(written(both, "onnx")).text == "would write the network as mindir"


def test_files_of_other_weights_do_not_count(tmp_path: Path) -> None:
    """Neither does one that was cut short."""
    context = context_with(tmp_path, "onnx")

    assert convert.look(written(context, "onnx", sha256="0")).state == "todo"
    whole = written(context, "onnx")
    (whole.folder / "exported" / "net.onnx").write_bytes(b"mod")
    assert convert.look(whole).state == "todo"


def test_formats_asked_for_later_change_a_complete_run(tmp_path: Path) -> None:
    """The run is no longer what the job asks for."""
    context = written(context_with(tmp_path, "onnx", "mindir"), "onnx")
    assert context.previous is not None
    complete = context.previous.replaced(status="complete")

    assert convert.look(replace(context, previous=complete)).state == "changed"


def go(folder: Path, *overrides: str) -> dict[str, Any]:
    """The job in a process of its own, and the manifest it leaves."""
    places = [
        f"cluster.{name}={folder}/{name}" for name in ("data_dir", "output_dir", "export_url")
    ]
    command = [sys.executable, "run.py", "run.id=one", *places, *overrides]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads((folder / "export_url" / "one" / "manifest.json").read_text())


@pytest.mark.slow
@pytest.mark.mindspore
def test_a_finished_run_gets_its_model_files(tmp_path: Path) -> None:
    """Asked for later: nothing is trained again, the files are exported, and then all is done."""
    go(tmp_path, "mode.epochs=1")

    manifest = go(tmp_path, "mode.epochs=1", "mode.export_formats=[mindir]")
    again = go(tmp_path, "mode.epochs=1", "mode.export_formats=[mindir]")

    stages = {stage["name"]: stage for stage in manifest["stages"]}
    (model,) = stages["convert"]["models"]
    assert [stages[name]["status"] for name in ("train", "evaluate")] == ["skipped", "skipped"]
    assert model["path"] == "exported/lenet5.mindir"
    assert model["difference"] <= model["tolerance"] == 1e-4
    assert model["path"] in [artifact["path"] for artifact in manifest["artifacts"]]
    assert (tmp_path / "export_url/one" / model["path"]).stat().st_size == model["size_bytes"]
    assert again == manifest
