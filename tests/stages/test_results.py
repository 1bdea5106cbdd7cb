"""train, evaluate and infer beforehand: whether their results are there. No MindSpore is needed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.context import Context
from pipeline.inputs.wanted import Checkpoint
from pipeline.manifest import StageRecord
from pipeline.stages import build, evaluate, export, infer, train
from pipeline.training import checkpoints
from pipeline.training.checkpoints import Progress
from pipeline.training.device import Engine
from tests.running import context_of, make_job

MODE = {"epochs": 2, "batch_size": 4, "learning_rate": 0.1, "momentum": 0.9}


@pytest.fixture
def context(tmp_path: Path) -> Context:
    """The context of a training over two epochs."""
    return context_of(make_job(tmp_path, mode=MODE))


def rows(epochs: int) -> list[dict[str, float]]:
    """Metric rows of so many epochs."""
    return [
        {"epoch": n, "step": n * 5, "loss": 1 / n, "accuracy": 0.5, "seconds": 0.1}
        for n in range(1, epochs + 1)
    ]


def save(context: Context, epochs: int, *, lines: int | None = None) -> None:
    """What a training leaves after so many epochs, with so many lines of metrics."""
    folder = context.folder / "checkpoints"
    folder.mkdir(exist_ok=True)
    engine = Engine("2", "CPU", "AVX2", "x86_64")
    progress = Progress(epochs, epochs * 5, 1, "O0", engine, rows(epochs))
    checkpoints.save(folder, "net", progress, write=lambda path: void(path.write_bytes(b"state")))
    written = rows(epochs if lines is None else lines)
    text = "".join(json.dumps(row) + "\n" for row in written)
    (context.folder / "metrics.jsonl").write_text(text)


def void(value: object) -> None:
    """Nothing."""
    del value


def test_a_training_not_begun_or_half_done(context: Context) -> None:
    """The outlook says how far it has come."""
    assert train.look(context).text == "would train 2 epochs of batches of 4"
    save(context, 1)
    assert train.look(context).text == "would train 2 epochs of batches of 4, 1 of them done"


def test_a_finished_training_gives_its_numbers(context: Context) -> None:
    """Checkpoint, facts and metrics are there without training, as after a kill."""
    save(context, 2)

    outlook = train.look(context)

    assert outlook.state == "done"
    assert outlook.products["checkpoint"].path.name == "net-2.ckpt"
    assert outlook.facts == {"epochs": 2, "steps": 10}
    assert outlook.metrics == {"train_loss": 0.5, "train_accuracy": 0.5}


@pytest.mark.parametrize("lines", [0, 1, 3])
def test_a_kill_between_checkpoint_and_metrics_row(context: Context, lines: int) -> None:
    """With every epoch trained but metrics.jsonl not telling so, the stage has work left."""
    save(context, 2, lines=lines)

    assert (train.look(context).state, train.look(context).text) == (
        "todo",
        "would complete metrics.jsonl",
    )


def test_a_damaged_last_checkpoint_is_not_trusted(context: Context) -> None:
    """Bytes that are not those on record count for nothing."""
    save(context, 2)
    (context.folder / "checkpoints" / "net-2.ckpt").chmod(0o644)
    (context.folder / "checkpoints" / "net-2.ckpt").write_bytes(b"stata")

    assert train.look(context).state == "todo"


def test_a_kill_before_the_last_tidying(context: Context) -> None:
    """A state from within an epoch that is done is no result, and is removed."""
    save(context, 2)
    (context.folder / "checkpoints" / "state.ckpt").write_bytes(b"state")

    assert train.look(context).text == "would remove the state from within the last epoch"


CHECKPOINT = Checkpoint(Path("a.ckpt"), "f" * 64, "this training")


def measured(context: Context, **changes: Any) -> None:
    """metrics.json as evaluate leaves it."""
    found = {
        "accuracy": 0.75,
        "loss": 0.5,
        "samples": 4,
        "checkpoint": {"sha256": CHECKPOINT.sha256},
        **changes,
    }
    (context.folder / "metrics.json").write_text(json.dumps(found))


def test_a_measured_checkpoint_is_not_measured_again(context: Context) -> None:
    """The numbers on record are this checkpoint's, and come back with the outlook."""
    context.products["checkpoint"] = CHECKPOINT
    assert evaluate.look(context).state == "todo"
    measured(context)

    outlook = evaluate.look(context)

    assert (outlook.state, outlook.facts) == ("done", {"samples": 4})
    assert outlook.metrics == {"accuracy": 0.75, "loss": 0.5}


@pytest.mark.parametrize(
    "changes",
    [{"checkpoint": {"sha256": "0"}}, {"checkpoint": None}, {"accuracy": None}],
)
def test_numbers_of_another_checkpoint_do_not_count(context: Context, changes: Any) -> None:
    """Weights that changed are measured again, as is a table of nonsense."""
    context.products["checkpoint"] = CHECKPOINT
    measured(context, **changes)

    assert evaluate.look(context).state == "todo"


def test_predictions_are_done_with_all_their_files(context: Context) -> None:
    """Table, picture and the checkpoint on record must be there."""
    context.products["checkpoint"] = CHECKPOINT
    names = ["predictions.csv", "samples.png"]
    facts = {"checkpoint": CHECKPOINT.sha256, "files": names}
    record = StageRecord.model_validate(
        {"name": "infer", "status": "done", "seconds": 1.0, **facts}
    )
    for name in names:
        (context.folder / name).write_text("x")
    assert infer.look(context).state == "todo"
    context = replace(context, previous=context.manifest.with_stage(record))

    assert infer.look(context).state == "done"
    context.products["checkpoint"] = replace(CHECKPOINT, sha256="0")
    assert infer.look(context).state == "todo"
    context.products["checkpoint"] = CHECKPOINT
    (context.folder / "samples.png").unlink()
    assert infer.look(context).state == "todo"


def test_build_and_export_always_have_work(context: Context) -> None:
    """There is no session from before, and only the place itself could tell what it holds."""
    assert build.look(context).state == "todo"
    assert export.look(context).state == "todo"


def test_an_export_records_what_moved(tmp_path: Path) -> None:
    """The stage records the place's URL, the files and the bytes that moved."""
    context = context_of(make_job(tmp_path))
    (context.folder / "a.txt").write_text("abc")

    final = export.export.run(context, {})["published"]

    assert final.status == "complete"
    assert final.stage("export").facts == {
        "url": f"{tmp_path}/exports/{context.job.run_id}",
        "files": 1,
        "sent_bytes": 3,
    }
