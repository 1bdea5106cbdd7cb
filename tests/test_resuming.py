"""Whole states to go on from: an exported run's, those that a launch brings, and a run's own."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.context import Context
from pipeline.errors import CheckpointError, IntegrityError, Mistake
from pipeline.inputs import pretrained
from pipeline.inputs.wanted import Checkpoint, Wanted
from pipeline.manifest import Artifact, Manifest
from pipeline.stages.fetch import fetch, look
from pipeline.training import checkpoints
from pipeline.training.device import Engine
from pipeline.training.records import Progress
from tests.running import DIGEST, context_of, make_job
from tests.servers import WebServer, serving

# A kill may leave an index that is newer than the manifest.
INDEX = b'{"last": {"path": "net-11.ckpt", "epoch": 11}}'
EXPORTED = {
    **{f"checkpoints/net-{n}.ckpt": b"%d" % n for n in (9, 10)},
    **{f"checkpoints/net-{n}.json": b"{}" for n in (9, 10)},
    "checkpoints/index.json": INDEX,
}


def exported(server: WebServer, files: dict[str, bytes]) -> str:
    """The URL of a run with these files, which its manifest names."""
    artifacts = tuple(
        Artifact(path=name, size_bytes=len(content), sha256=hashlib.sha256(content).hexdigest())
        for name, content in files.items()
    )
    record = Manifest(run_id="first", digest=DIGEST, started="2026-01-01", artifacts=artifacts)
    server.files = {f"runs/first/{name}": content for name, content in files.items()}
    server.files["runs/first/manifest.json"] = record.as_json().encode()
    return f"{server.url}/runs/first"


def going_on(folder: Path, named: str) -> Context:
    """The context of a training that goes on from there."""
    return context_of(make_job(folder, stages=("fetch",), mode={"epochs": 20, "resume": named}))


def fetched(context: Context) -> Checkpoint:
    """The state, once it is here."""
    found: Any = fetch.run(context, {})["checkpoint"]
    return found


def state(epoch: int) -> dict[str, bytes]:
    """A state from within an epoch, as it is exported."""
    record = {"name": "net", "states": [{"epoch": epoch}]}
    return {
        "checkpoints/state.ckpt": b"within",
        "checkpoints/state.json": json.dumps(record).encode(),
    }


@pytest.mark.parametrize(
    ("more", "content"), [({}, b"10"), (state(10), b"within"), (state(9), b"10")]
)
def test_the_furthest_state_of_an_exported_run_comes_here(
    tmp_path: Path, more: dict[str, bytes], content: bytes
) -> None:
    """The files that tell of it come first, then that state alone; a second start fetches none."""
    with serving(WebServer()) as server:
        context = going_on(tmp_path, exported(server, {**EXPORTED, **more}))
        assert look(context).state == "todo"

        found = fetched(context)
        asked = len(server.gets())

        assert found.path.read_bytes() == content
        assert look(context).state == "done"
        assert fetched(context) == found
        assert len(server.gets()) == asked == (3 if more else 2)


def test_a_state_from_the_first_epoch_is_one(tmp_path: Path) -> None:
    """A run that was ended before its first epoch has no other."""
    with serving(WebServer()) as server:
        found = fetched(going_on(tmp_path, exported(server, state(0))))

    assert found.path.read_bytes() == b"within"


def test_a_state_that_is_not_the_exported_one_is_refused(tmp_path: Path) -> None:
    """Its bytes are compared with what the run's manifest says."""
    with serving(WebServer()) as server:
        url = exported(server, EXPORTED)
        server.files["runs/first/checkpoints/net-10.ckpt"] = b"other"

        with pytest.raises(IntegrityError, match=r"net-10\.ckpt"):
            fetched(going_on(tmp_path, url))


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("manifest.json", b"<html>", r"manifest\.json cannot be read"),
        ("manifest.json", b"{}", r"manifest\.json cannot be read"),
        ("checkpoints/net-3.ckpt", b"without a record", "holds no state of a training"),
    ],
)
def test_what_is_no_exported_training_is_told(
    tmp_path: Path, name: str, content: bytes, words: str
) -> None:
    """The message names the place and what may be written instead."""
    with serving(WebServer()) as server:
        url = exported(server, {name: content} if name.endswith(".ckpt") else EXPORTED)
        server.files[f"runs/first/{name}"] = content

        with pytest.raises(CheckpointError, match=words) as caught:
            fetched(going_on(tmp_path, url))

    assert url in str(caught.value)
    assert "mode.resume=" in str(caught.value)


def save_state(folder: Path, *, epochs: int) -> None:
    """What a training leaves after so many epochs."""
    folder.mkdir(parents=True)
    rows = [{"epoch": n, "step": n * 5, "loss": 1.0} for n in range(1, epochs + 1)]
    engine = Engine("2", "CPU", "AVX2", "x86_64")
    progress = Progress(epochs, epochs * 5, 1, "O0", engine, rows)
    checkpoints.save(folder, "net", progress, lambda path: path.write_bytes(b"state"))


def test_a_run_does_not_go_on_from_itself_by_name(tmp_path: Path) -> None:
    """It does so anyway, and its own state is no other's."""
    job = make_job(tmp_path, stages=("fetch",), mode={"epochs": 4, "resume": "mine"})
    job = job.model_copy(update={"run": job.run.model_copy(update={"id": "mine"})})

    found = pretrained.find(job, tmp_path / "outputs")

    assert isinstance(found, Mistake)
    assert "this very run" in str(found)


def test_of_what_a_launch_brings_the_furthest_state_is_taken(tmp_path: Path) -> None:
    """By the records beside the files, not by names; several without a record are refused."""
    wanted = Wanted("the launch's data", is_inside=True, is_state=True)
    save_state(tmp_path / "run" / "a", epochs=9)
    save_state(tmp_path / "run" / "b", epochs=10)

    assert pretrained.inside([tmp_path], wanted).path.name == "net-10.ckpt"
    for record in tmp_path.rglob("net-*.json"):
        record.unlink()
    with pytest.raises(CheckpointError, match=r"brings 2 checkpoints .* no record"):
        pretrained.inside([tmp_path], wanted)
    (tmp_path / "run" / "a" / "net-9.ckpt").unlink()
    assert pretrained.inside([tmp_path], wanted).path.name == "net-10.ckpt"
