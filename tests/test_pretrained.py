"""Which checkpoint a job starts from."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import Mistake
from pipeline.inputs import pretrained
from pipeline.inputs.wanted import Wanted
from pipeline.job.job import Launched
from pipeline.manifest import Manifest
from pipeline.training import checkpoints
from pipeline.training.device import Engine
from pipeline.training.records import Partial, Progress
from tests.running import DIGEST, make_job

EVALUATE = ("fetch", "extract", "build", "evaluate", "export")


def train(
    outputs: Path, name: str, *, status: Any = "complete", finished: str = "2026-01-01"
) -> Path:
    """The run folder of a training, with its checkpoint."""
    folder = outputs / name
    (folder / "checkpoints").mkdir(parents=True)
    path = folder / "checkpoints" / "net-2.ckpt"
    path.write_bytes(name.encode())
    (folder / "checkpoints" / "index.json").write_text(json.dumps({"last": {"path": path.name}}))
    begun = Manifest(
        run_id=name,
        digest=DIGEST,
        started=finished,
        job={"mode": "train", "model": "net", "dataset": "set"},
        metrics={"accuracy": 0.5},
    )
    begun.replaced(status=status, finished=finished).write(folder)
    return path


def find(folder: Path, named: str | None, *, needs: bool = True) -> Any:
    """What the job's `mode.checkpoint` names."""
    mode = {"checkpoint": named, "needs_checkpoint": needs}
    job = make_job(folder, stages=EVALUATE if needs else ("fetch",), mode=mode)
    return pretrained.find(job, folder / "outputs")


def mistake(found: Any) -> str:
    """The text of the mistake that was found."""
    assert isinstance(found, Mistake)
    return str(found)


def test_a_job_that_needs_none(tmp_path: Path) -> None:
    """Without a checkpoint named, a training starts from scratch."""
    assert find(tmp_path, None, needs=False) is None


def test_none_given_lists_what_there_is(tmp_path: Path) -> None:
    """A mode that needs one is refused with the trainings at hand, or how to make one."""
    assert "python run.py mode=train model=net dataset=set" in mistake(find(tmp_path, None))
    train(tmp_path / "outputs", "first")

    text = mistake(find(tmp_path, None))

    assert "first (accuracy 0.5000)" in text
    assert "mode.checkpoint=latest" in text


def test_a_stage_that_needs_one_is_enough(tmp_path: Path) -> None:
    """The list of stages tells, even where the mode does not say so."""
    job = make_job(tmp_path, stages=EVALUATE)

    assert isinstance(pretrained.find(job, tmp_path / "outputs"), Mistake)


def test_a_file_a_url_and_a_run(tmp_path: Path) -> None:
    """A path is taken as it is, a URL is to be fetched, a run's id means its last checkpoint."""
    path = train(tmp_path / "outputs", "first", status="interrupted")

    assert find(tmp_path, str(path)) == Wanted(str(path), path=path)
    assert find(tmp_path, "s3://b/a.ckpt") == Wanted("s3://b/a.ckpt", url="s3://b/a.ckpt")
    assert find(tmp_path, "first") == Wanted("run first", path=path)


def test_latest_is_the_newest_complete_training(tmp_path: Path) -> None:
    """Neither interrupted runs nor those put aside count."""
    outputs = tmp_path / "outputs"
    train(outputs, "old", finished="2026-01-01")
    path = train(outputs, "new", finished="2026-02-01")
    train(outputs, "broken", status="interrupted", finished="2026-03-01")
    train(outputs, "aside", finished="2026-04-01")
    (outputs / "aside").rename(outputs / "aside.old-1")

    assert find(tmp_path, "latest") == Wanted("run new", path=path)


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        ("frist", "did you mean 'first'?"),
        ("/none/a.ckpt", "there is no file /none/a.ckpt"),
        ("nothing-like-it", "there is no run 'nothing-like-it'"),
    ],
)
def test_what_is_not_there_is_a_mistake(tmp_path: Path, named: str, expected: str) -> None:
    """The message says what was looked for, what is near, and what there is."""
    train(tmp_path / "outputs", "first")

    text = mistake(find(tmp_path, named))

    assert expected in text
    assert "first (accuracy 0.5000)" in text


def test_latest_without_any_training(tmp_path: Path) -> None:
    """The message says of which model and dataset there is none."""
    assert "no complete training of net on set" in mistake(find(tmp_path, "latest"))


def test_an_index_of_nonsense_is_no_checkpoint(tmp_path: Path) -> None:
    """A damaged index is as good as none."""
    path = train(tmp_path / "outputs", "first")
    (path.parent / "index.json").write_text('{"last": []}')

    assert "there is no run 'first' with a checkpoint" in mistake(find(tmp_path, "first"))


def test_a_digest_is_read_anew_when_the_file_changes(tmp_path: Path) -> None:
    """The remembered digest counts only while size and time stay."""
    path = tmp_path / "a.ckpt"
    path.write_bytes(b"one")
    first = pretrained.at_hand(Wanted("a", path=path), path)
    path.write_bytes(b"other")

    assert pretrained.at_hand(Wanted("a", path=path), path).sha256 != first.sha256


def test_what_a_mac_adds_to_an_archive_is_no_checkpoint(tmp_path: Path) -> None:
    """Hidden files are passed over, also where their names come first."""
    for name in ("__MACOSX/._lenet.ckpt", ".hidden/a.ckpt", "deep/lenet.ckpt"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(name.encode())

    found = pretrained.inside([tmp_path], Wanted("the launch's data", is_inside=True))

    assert found.path == tmp_path / "deep" / "lenet.ckpt"


def test_models_that_are_no_files_are_looked_into(tmp_path: Path) -> None:
    """A folder or an archive among the brought models may hold the checkpoint."""
    models = (str(tmp_path), "obs://bucket/models/packed.zip", "obs://bucket/models/x/")
    launched = Launched(models=models)
    job = make_job(tmp_path, mode={"needs_checkpoint": True})
    job = job.model_copy(update={"launched": launched})

    wanted = pretrained.find(job, tmp_path)

    assert isinstance(wanted, Wanted)
    assert wanted.is_inside
    assert [(a.url, a.mount) for a in pretrained.packed_models(job)] == [
        (models[0], True),
        (models[1], False),
        (models[2], False),
    ]


def find_state(folder: Path, named: str, **more: Any) -> Any:
    """What a training's `mode.resume` names."""
    launched = Launched(**more.pop("launched", {}))
    job = make_job(folder, stages=("fetch",), mode={"epochs": 4, "resume": named, **more})
    job = job.model_copy(update={"launched": launched})
    return pretrained.find(job, folder / "outputs")


def save_states(folder: Path, *, epochs: int, steps: int = 0) -> None:
    """What a training leaves after so many epochs and some steps."""
    folder.mkdir(parents=True)
    engine = Engine("2", "CPU", "AVX2", "x86_64")
    rows = [{"epoch": n, "step": n * 5, "loss": 1.0, "accuracy": 0.5} for n in range(1, epochs + 1)]
    progress = Progress(epochs, epochs * 5, 1, "O0", engine, rows)

    def write(path: Path) -> None:
        path.write_bytes(b"state")

    checkpoints.save(folder, "net", progress, write)
    if steps:
        within = replace(progress, partial=Partial(steps, 1.0, 1, 0.1, 5, 4))
        checkpoints.save_state(folder, "net", within, write)


@pytest.mark.parametrize("steps", [0, 2])
def test_the_furthest_state_of_a_run_is_gone_on_from(tmp_path: Path, steps: int) -> None:
    """By id, by folder and by the folder of checkpoints, from within an epoch too."""
    folder = tmp_path / "outputs" / "first" / "checkpoints"
    save_states(folder, epochs=2, steps=steps)
    expected = folder / ("state.ckpt" if steps else "net-2.ckpt")

    for named in ("first", str(folder.parent), str(folder)):
        assert find_state(tmp_path, named).path == expected
    assert find_state(tmp_path, str(folder / "net-2.ckpt")).path == folder / "net-2.ckpt"


def test_a_state_that_comes_from_elsewhere(tmp_path: Path) -> None:
    """A URL of one file is fetched; what the launch brings is named by the launch."""
    url = "https://host/net-2.ckpt?Signature=word-for-tests"

    assert find_state(tmp_path, url).url == url
    assert find_state(tmp_path, "launch", launched={"checkpoint": url}).url == url
    assert find_state(tmp_path, "launch", launched={"brings_data": True}).is_inside


@pytest.mark.parametrize(
    ("named", "mode", "words"),
    [
        ("frist", {}, ["no state of a training of net in", "did you mean 'first'?", "run id"]),
        ("a/b.ckpt", {}, ["no state of a training of net in a/b.ckpt"]),
        ("done", {}, ["has come through 4 epochs of 4", "raise mode.epochs"]),
        ("train-net-x", {}, ["there is no state"]),
        ("launch", {}, ["the launch brings no model or dataset"]),
        ("first", {"checkpoint": "x.ckpt"}, ["mode.checkpoint is given as well"]),
        ("first", {"epochs": None}, ["mode 'try' does not train", "mode.checkpoint=first"]),
    ],
)
def test_a_state_that_cannot_be_meant(
    tmp_path: Path, named: str, mode: dict[str, Any], words: list[str]
) -> None:
    """Each is refused at its key before anything runs."""
    train(tmp_path / "outputs", "first")
    save_states(tmp_path / "outputs" / "done", epochs=4)

    text = mistake(find_state(tmp_path, named, **mode))

    assert text.startswith("mode.resume: ")
    assert "secret" not in text
    assert [word for word in words if word not in text] == []
