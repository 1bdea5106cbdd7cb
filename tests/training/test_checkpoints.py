"""A checkpoint counts when its record vouches for it, and only then."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.training import checkpoints
from pipeline.training.checkpoints import Partial, Progress, Saved
from pipeline.training.device import Engine

ENGINE = Engine("2.10.0", target="CPU", instruction_set="AVX2", machine="x86_64", cores=2)


def progress(epoch: int, losses: tuple[float, ...] = ()) -> Progress:
    """A training that has come to this epoch."""
    rows = [
        {"epoch": i, "step": i * 10, "loss": losses[i - 1] if losses else 1 / i}
        for i in range(1, epoch + 1)
    ]
    return Progress(epoch, epoch * 10, seed=1, precision="O0", engine=ENGINE, rows=rows)


def save(folder: Path, epoch: int, losses: tuple[float, ...] = ()) -> Saved:
    """Saves a stand-in for a checkpoint; only MindSpore looks inside."""
    folder.mkdir(exist_ok=True)
    content = f"weights of epoch {epoch}".encode()
    return checkpoints.save(
        folder, "net", progress(epoch, losses), write=lambda path: _write(path, content)
    )


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def test_the_newest_is_chosen_by_number(tmp_path: Path):
    """Epoch 10 is newer than epoch 9."""
    for epoch in (1, 9, 10):
        save(tmp_path, epoch)

    newest = checkpoints.newest_good(tmp_path, "net")

    assert newest is not None
    assert newest.path.name == "net-10.ckpt"
    assert newest.progress == progress(10)


@pytest.mark.parametrize("damage", [b"", b"weights of epoch X", b"weights of epoch 20"])
def test_a_damaged_checkpoint_is_passed_over_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: bytes
):
    """The one before is used, and the log names the damaged one."""
    save(tmp_path, 1)
    save(tmp_path, 2).path.write_bytes(damage)

    newest = checkpoints.newest_good(tmp_path, "net")

    assert newest is not None
    assert newest.progress.epoch == 1
    assert "net-2.ckpt" in caplog.text


def test_a_checkpoint_without_a_record_is_not_trusted(tmp_path: Path):
    """A kill between checkpoint and record leaves nothing that counts."""
    save(tmp_path, 1)
    save(tmp_path, 2).record_path.unlink()

    assert checkpoints.rows(tmp_path, "net") == progress(1).rows


@pytest.mark.parametrize(
    "record",
    ["", "[]", "{}", '{"epoch": 2}', '"text"', "null"],
)
def test_an_unreadable_record_is_passed_over_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, record: str
):
    """A record of any shape stops nobody."""
    save(tmp_path, 1)
    save(tmp_path, 2).record_path.write_text(record)

    assert checkpoints.finished(tmp_path, "net", 1) == tmp_path / "net-1.ckpt"
    assert "net-2.json" in caplog.text


def test_a_record_whose_rows_have_a_gap_is_not_trusted(tmp_path: Path):
    """metrics.jsonl is rebuilt from these rows, so each epoch must be there once."""
    path = save(tmp_path, 2).record_path
    record = json.loads(path.read_text())
    del record["rows"][0]
    path.write_text(json.dumps(record))

    assert checkpoints.newest_good(tmp_path, "net") is None


def test_a_renamed_checkpoint_is_not_taken_for_another_epoch(tmp_path: Path):
    """The epoch is what the record says, and the name must agree."""
    saved = save(tmp_path, 1)
    saved.path.rename(tmp_path / "net-7.ckpt")
    saved.record_path.rename(tmp_path / "net-7.json")

    assert checkpoints.newest_good(tmp_path, "net") is None


def test_other_networks_files_are_not_ours(tmp_path: Path):
    """A name that begins like ours is another's."""
    save(tmp_path, 1)
    (tmp_path / "net-wide-5.json").write_text((tmp_path / "net-1.json").read_text())

    newest = checkpoints.newest_good(tmp_path, "net")

    assert newest is not None
    assert newest.progress.epoch == 1


def test_finished_means_this_very_epoch(tmp_path: Path):
    """Fewer epochs are not enough, and more do not stand for it."""
    for epoch in (1, 2, 3):
        save(tmp_path, epoch)

    assert checkpoints.finished(tmp_path, "net", 2) == tmp_path / "net-2.ckpt"
    assert checkpoints.finished(tmp_path, "net", 4) is None
    assert checkpoints.finished(tmp_path / "nowhere", "net", 1) is None


def test_the_index_points_at_best_and_last(tmp_path: Path):
    """The best has the lowest training loss."""
    losses = (0.5, 0.1, 0.3)
    for epoch in (1, 2, 3):
        save(tmp_path, epoch, losses)

    index = json.loads((tmp_path / checkpoints.INDEX_NAME).read_text())

    assert (index["best"]["path"], index["best"]["loss"]) == ("net-2.ckpt", 0.1)
    assert (index["last"]["path"], index["last"]["epoch"]) == ("net-3.ckpt", 3)


def test_an_index_that_a_kill_left_behind_is_told(tmp_path: Path):
    """One that is older than the checkpoints, missing, damaged, or names a file that is gone."""
    losses = (0.5, 0.1, 0.3)
    for epoch in (1, 2):
        save(tmp_path, epoch, losses)
    index = tmp_path / checkpoints.INDEX_NAME
    older = index.read_text()
    save(tmp_path, 3, losses)
    newer = index.read_text()

    for content in (older, "", "{"):
        index.write_text(content)
        assert not checkpoints.has_true_index(tmp_path, "net")
    index.unlink()
    assert not checkpoints.has_true_index(tmp_path, "net")
    assert checkpoints.write_index(tmp_path, "net").read_text() == newer
    assert checkpoints.has_true_index(tmp_path, "net")
    (tmp_path / "net-2.ckpt").unlink()
    assert not checkpoints.has_true_index(tmp_path, "net")
    assert checkpoints.has_true_index(tmp_path / "nowhere", "net")


def test_a_failed_save_leaves_the_folder_as_it_was(tmp_path: Path):
    """An error while writing leaves neither half a checkpoint nor a temporary file."""
    save(tmp_path, 1)
    before = sorted(tmp_path.iterdir())

    def fail(path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError("the disk went away")

    with pytest.raises(OSError, match="went away"):
        checkpoints.save(tmp_path, "net", progress(2), write=fail)
    checkpoints.remove_unfinished(tmp_path, "net")

    assert sorted(tmp_path.iterdir()) == before


def partial(steps: int) -> Partial:
    """An epoch that has begun."""
    return Partial(steps, 1.5, 7, 0.1, steps_per_epoch=10, samples_per_step=4)


def save_state(folder: Path, epoch: int, steps: int, *, fails: bool = False) -> Saved:
    """Saves a stand-in for a state from within the epoch after `epoch`."""
    content = f"state of epoch {epoch}, step {steps}".encode()

    def write(path: Path) -> None:
        path.write_bytes(content)
        if fails:
            raise OSError("the disk went away")

    came_to = replace(progress(epoch), partial=partial(steps))
    return checkpoints.save_state(folder, "net", came_to, write)


@pytest.mark.parametrize(
    ("epoch", "steps", "expected"),
    [(2, 3, "state.ckpt"), (1, 9, "net-2.ckpt"), (0, 1, "net-2.ckpt")],
)
def test_the_furthest_state_is_used(tmp_path: Path, epoch: int, steps: int, expected: str):
    """A state within an epoch counts if no checkpoint has come further."""
    save(tmp_path, 1)
    save_state(tmp_path, epoch, steps)
    save(tmp_path, 2)

    newest = checkpoints.newest(tmp_path, "net")

    assert newest is not None
    assert newest.path.name == expected
    assert checkpoints.newest_good(tmp_path, "net") == checkpoints.newest(
        tmp_path, "net", last_epoch=2
    )


def test_a_state_before_the_first_epochs_end_counts(tmp_path: Path):
    """There are no rows yet."""
    save_state(tmp_path, 0, 3)

    newest = checkpoints.newest(tmp_path, "net")

    assert newest is not None
    assert newest.progress.reached == (0, 3)
    assert checkpoints.rows(tmp_path, "net") == []


@pytest.mark.parametrize("content", [b"", b"state of epoch 2, step X"])
def test_a_damaged_state_is_passed_over_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: bytes
):
    """The checkpoint before is used, and the log names the state."""
    save(tmp_path, 2)
    save_state(tmp_path, 2, 3).path.write_bytes(content)

    newest = checkpoints.newest(tmp_path, "net")

    assert newest is not None
    assert newest.path.name == "net-2.ckpt"
    assert "state.ckpt" in caplog.text


def test_a_kill_while_a_state_is_replaced_leaves_one_of_the_two(tmp_path: Path):
    """The record vouches for the old bytes until the new ones are there."""
    save_state(tmp_path, 0, 3)
    old_bytes = (tmp_path / "state.ckpt").read_bytes()
    save_state(tmp_path, 0, 6)
    (tmp_path / "state.ckpt").write_bytes(old_bytes)

    newest = checkpoints.newest(tmp_path, "net")
    save_state(tmp_path, 0, 9)
    newer = checkpoints.newest(tmp_path, "net")

    assert newest is not None
    assert newest.progress.reached == (0, 3)
    assert newer is not None
    assert newer.progress.reached == (0, 9)


def test_a_failed_save_of_a_state_leaves_the_one_before(tmp_path: Path):
    """Bytes and record are as they were, and nothing lies beside them."""
    save_state(tmp_path, 0, 3)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}

    with pytest.raises(OSError, match="went away"):
        save_state(tmp_path, 0, 6, fails=True)

    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_pruning_keeps_the_newest_and_the_best(tmp_path: Path):
    """Checkpoints that a kill left without a record go too; others' files stay."""
    losses = (0.5, 0.1, 0.3, 0.4, 0.2)
    for epoch in range(1, 6):
        save(tmp_path, epoch, losses)
    checkpoints.path_of(tmp_path, "net", 3).with_suffix(".json").unlink()
    (tmp_path / "net-wide-1.ckpt").write_bytes(b"another's")

    gone = checkpoints.prune(tmp_path, "net", keep=1)

    expected = {"net-1.json", "net-1.ckpt", "net-3.ckpt", "net-4.json", "net-4.ckpt"}
    assert {path.name for path in gone} == expected
    kept = {"net-2.ckpt", "net-5.ckpt", "net-wide-1.ckpt"}
    assert {path.name for path in tmp_path.glob("*.ckpt")} == kept
    assert checkpoints.rows(tmp_path, "net") == progress(5, losses).rows
    assert checkpoints.prune(tmp_path, "net", keep=1) == []


def test_what_changes_exact_results_is_named():
    """Another MindSpore or seed is listed with both values."""
    other = Progress(1, 10, seed=2, precision="O0", engine=ENGINE, rows=[], ranks=4)

    assert progress(1).differences(other) == ["seed: 1 -> 2", "ranks: 1 -> 4"]


def test_reading_checkpoints_imports_neither_mindspore_nor_numpy():
    """A runner may ask how far training has come in a few milliseconds."""
    code = (
        "import sys; from pipeline.training import checkpoints; "
        "sys.exit(bool({'mindspore', 'numpy'} & set(sys.modules)))"
    )

    root = Path(__file__).parents[2]
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=root).returncode == 0
