"""What a mode says about learning reaches training: whole jobs on the digits."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.test_jobs import manifest_of, run, run_folder

pytestmark = [pytest.mark.mindspore, pytest.mark.slow]


def test_a_plan_from_the_command_line(tmp_path: Path) -> None:
    """Batches are gathered for a step, epochs measured, training ends early, and few are kept."""
    found = run(
        tmp_path,
        *("mode.epochs=6", "mode.gradient_accumulation=2", "mode.evaluate_every=1"),
        *("mode.early_stopping={patience: 2, min_delta: 2.0}", "mode.keep_checkpoints=1"),
    )

    assert found.returncode == 0, found.stderr
    folder = run_folder(tmp_path)
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    # The first measuring is the best so far; none after it is better by two.
    assert [row["step"] for row in rows] == [22, 44, 66]
    assert all({"test_accuracy", "test_loss"} <= row.keys() for row in rows)
    index = json.loads((folder / "checkpoints" / "index.json").read_text("utf-8"))
    kept = {path.name for path in (folder / "checkpoints").glob("*.ckpt")}
    assert kept == {index["best"]["path"], index["last"]["path"]}
    assert index["best"]["test_accuracy"] == max(row["test_accuracy"] for row in rows)
    assert manifest_of(folder)["stages"][3]["epochs"] == 3


def test_another_way_to_learn_from_the_command_line(tmp_path: Path) -> None:
    """Optimizer, schedule, loss and metric are checked, called, and told of."""
    found = run(
        tmp_path,
        *("mode.epochs=3", "mode.evaluate_every=2", "mode.learning_rate=0.001"),
        "mode.optimizer={_target_: mindspore.nn.Adam, weight_decay: 0.01}",
        "mode.schedule={_target_: pipeline.training.schedules.cosine, warmup_epochs: 0.5}",
        "mode.loss={_target_: mindspore.nn.CrossEntropyLoss, label_smoothing: 0.1}",
        "mode.metrics={top_2: {_target_: pipeline.training.metrics.top_k, k: 2}}",
    )

    assert found.returncode == 0, found.stderr
    folder = run_folder(tmp_path)
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [0 <= row.get("test_top_2", -1) <= 1 for row in rows] == [False, True, False]
    metrics = json.loads((folder / "metrics.json").read_text("utf-8"))
    assert 1 >= metrics["top_2"] >= metrics["accuracy"]
    assert manifest_of(folder)["metrics"]["top_2"] == metrics["top_2"]


def test_mistakes_in_how_to_learn_come_before_anything_else(tmp_path: Path) -> None:
    """A name that MindSpore has not, and an argument that an optimizer does not take: exit 2."""
    found = run(
        tmp_path,
        "mode.loss._target_=mindspore.nn.NoSuchLoss",
        "mode.optimizer={_target_: mindspore.nn.SGD, weight_decoy: 0.01}",
    )

    assert found.returncode == 2
    words = " ".join(found.stderr.split())
    assert "mode.loss._target_" in words
    assert "mode.optimizer.weight_decoy" in words
    assert not (tmp_path / "data").exists()


def weights_of(path: Path) -> dict[str, bytes]:
    """All parameters but the ones that tell of the training."""
    import mindspore

    loaded = mindspore.load_checkpoint(str(path))
    return {name: p.asnumpy().tobytes() for name, p in loaded.items() if name != "progress"}


def test_going_on_from_another_runs_state(tmp_path: Path) -> None:
    """Two epochs, and two more in a new run, end with the bits of four; ids, folders, files do."""
    first = run(tmp_path, "mode.epochs=2", "run.id=first")
    assert first.returncode == 0, first.stderr
    folder = tmp_path / "outputs"

    for number, place in enumerate(("first", f"{folder}/first", f"{folder}/first/checkpoints")):
        found = run(tmp_path, "mode.epochs=4", f"run.id=more-{number}", f"mode.resume={place}")
        assert found.returncode == 0, found.stderr

    whole = run(tmp_path, "mode.epochs=4", "run.id=whole")
    assert whole.returncode == 0, whole.stderr
    expected = weights_of(folder / "whole" / "checkpoints" / "lenet5-4.ckpt")
    for number in range(3):
        more = folder / f"more-{number}"
        assert weights_of(more / "checkpoints" / "lenet5-4.ckpt") == expected
        rows = [json.loads(line) for line in (more / "metrics.jsonl").read_text().splitlines()]
        assert [row["epoch"] for row in rows] == [1, 2, 3, 4]


def test_weights_alone_are_no_state(tmp_path: Path) -> None:
    """A checkpoint of anybody's script is refused, with the key that takes it."""
    import mindspore
    from mindspore import Tensor

    path = tmp_path / "plain.ckpt"
    entries = [{"name": "conv1.weight", "data": Tensor([1.0])}]
    mindspore.save_checkpoint(entries, str(path))

    found = run(tmp_path, "mode.epochs=2", f"mode.resume={path}")

    assert found.returncode == 1
    words = " ".join(found.stderr.split())
    assert "holds no whole state of a training" in words
    assert "mode.checkpoint" in words


def test_another_head_learns_on_from_what_fits(tmp_path: Path) -> None:
    """The manifest lists what does not fit; asked for the whole, the job says how to go on."""
    first = run(tmp_path, "mode.epochs=2", "run.id=first")
    assert first.returncode == 0, first.stderr
    head = ("mode=pretrain", "mode.epochs=1", "mode.checkpoint=first", "model.network.classes=12")

    refused = run(tmp_path, *head, "run.id=strict")
    found = run(tmp_path, *head, "run.id=loose", "mode.strict=false")

    assert refused.returncode == 1
    assert "write mode.strict=false" in " ".join(refused.stderr.split())
    assert found.returncode == 0, found.stderr
    (build,) = [s for s in manifest_of(tmp_path / "outputs" / "loose")["stages"] if "left_out" in s]
    assert build["name"] == "build"
    assert "fc3.weight is (10, 84) in the file, (12, 84) in the network" in build["left_out"][0]
