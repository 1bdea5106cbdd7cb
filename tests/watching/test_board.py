"""TensorBoard's own reader finds in the files what the run's records say."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipeline.job.job import Job
from pipeline.watching import Board
from tests.jobs import ROOT, composed

pytest.importorskip("tensorboard")

ROWS = [
    {"epoch": n, "step": 10 * n, "loss": 1.0 / n, "accuracy": 0.5, "learning_rate": 0.1}
    for n in (1, 2, 3)
]


def read(folder: Path) -> Any:
    """What TensorBoard shows of the folder."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(folder))
    found.Reload()
    return found


def curve(folder: Path, tag: str) -> list[tuple[int, float]]:
    """The points of one curve."""
    return [(p.step, round(p.value, 6)) for p in read(folder).Scalars(tag)]


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """A training whose folders lie in a temporary one."""
    return composed(f"cluster.output_dir={tmp_path}", "mode.epochs=3").job


@pytest.fixture
def run_folder(tmp_path: Path, job: Job) -> Path:
    """A run folder with a configuration, and events of two epochs."""
    folder = tmp_path / job.run_id
    folder.mkdir()
    (folder / "config.yaml").write_text("seed: 1\nname: 数据\n", encoding="utf-8")
    events = [{"time": f"2026-01-01T00:00:0{n}.000Z", "event": "epoch", "epoch": n} for n in (1, 2)]
    lines = "".join(json.dumps(event) + "\n" for event in events)
    (folder / "events.jsonl").write_text(lines + '{"time": "2026-01', encoding="utf-8")
    return folder


def test_epochs_are_told_as_they_come(job: Job, run_folder: Path) -> None:
    """Each row is there at once, a point of each column."""
    board = Board(job, run_folder)
    board.begin([])
    for row in ROWS[:2]:
        board.add(row)

    folder = run_folder / "tensorboard"
    assert curve(folder, "train/loss") == [(1, 1.0), (2, 0.5)]
    assert curve(folder, "train/learning_rate") == [(1, 0.1), (2, 0.1)]
    board.add({**ROWS[2], "test_accuracy": 0.9})
    board.close()
    assert curve(folder, "train/loss")[-1] == (3, 0.333333)
    assert curve(folder, "test/accuracy") == [(3, 0.9)]
    assert set(read(folder).Tags()["scalars"]) == {
        *("train/loss", "train/accuracy", "train/learning_rate", "test/accuracy")
    }


@pytest.mark.parametrize("cut", [1, 7, 30])
def test_a_start_after_a_kill_neither_repeats_nor_loses(
    job: Job, run_folder: Path, cut: int
) -> None:
    """Whatever the killed one has left, also half an event, the rows on record count."""
    first = Board(job, run_folder)
    first.begin([])
    for row in ROWS:
        first.add(row)
    first.close()
    (file,) = (run_folder / "tensorboard").iterdir()
    file.write_bytes(file.read_bytes()[:-cut])

    second = Board(job, run_folder)
    second.begin(ROWS[:2])
    second.add(ROWS[2])
    second.close()

    folder = run_folder / "tensorboard"
    assert [step for step, _ in curve(folder, "train/loss")] == [1, 2, 3]
    assert sorted(path.stat().st_size > 0 for path in folder.iterdir()) == [False, True]
    times = [point.wall_time for point in read(folder).Scalars("train/loss")]
    assert times[1] - times[0] == 1.0


def test_a_viewer_that_has_read_the_older_file_shows_no_epoch_twice(
    job: Job, run_folder: Path
) -> None:
    """The new file makes it forget what the older one told."""
    board = Board(job, run_folder)
    board.begin(ROWS)
    board.close()
    viewer = read(run_folder / "tensorboard")
    assert len(viewer.Scalars("train/loss")) == 3

    board.begin(ROWS[:2])
    viewer.Reload()

    assert [point.step for point in viewer.Scalars("train/loss")] == [1, 2]
    board.add(ROWS[2])
    board.close()
    viewer.Reload()
    assert [point.step for point in viewer.Scalars("train/loss")] == [1, 2, 3]


def test_settings_and_configuration_are_there(job: Job, run_folder: Path) -> None:
    """The table of hyperparameters knows the numbers, the text page the whole job."""
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    board = Board(job, run_folder)
    board.begin([])
    board.close()

    found = read(run_folder / "tensorboard")
    held = found.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    settings = HParamsPluginData.FromString(held).session_start_info
    assert settings.group_name == job.run_id
    assert settings.hparams["learning_rate"].number_value == job.mode.learning_rate
    assert settings.hparams["model"].string_value == "lenet5"
    text = found.Tensors("config/text_summary")[0].tensor_proto.string_val[0].decode()
    assert "name: 数据" in text


def test_final_metrics_stand_at_the_last_epoch(job: Job, run_folder: Path) -> None:
    """Told twice they count once, and epochs that were trained before are there, too."""
    (run_folder / "metrics.jsonl").write_text(
        '{"epoch": 1, "loss": 1}\n{"epoch": 2, "loss": 0.5}\n', encoding="utf-8"
    )
    board = Board(job, run_folder)

    board.results({"accuracy": 0.25})
    board.results({"accuracy": 0.25, "loss": 0.75})
    board.close()

    folder = run_folder / "tensorboard"
    assert curve(folder, "final/accuracy") == [(2, 0.25)]
    assert curve(folder, "final/loss") == [(2, 0.75)]
    assert curve(folder, "train/loss") == [(1, 1.0), (2, 0.5)]


def test_a_folder_of_the_clusters_own(tmp_path: Path, run_folder: Path) -> None:
    """There the run has a folder of its name, and nobody else's file is touched."""
    place = tmp_path / "看板 of all"
    job = composed(f"cluster.tensorboard_dir={place}", "mode.epochs=3").job
    other = place / job.run_id / "events.out.tfevents.1.other"
    other.parent.mkdir(parents=True)
    other.write_bytes(b"")
    board = Board(job, run_folder)

    for _ in range(4):
        board.begin(ROWS)
    board.close()

    assert len(list(other.parent.iterdir())) == 3
    assert other.read_bytes() == b""
    assert not (run_folder / "tensorboard").exists()


def test_a_place_that_fails_is_one_warning(
    job: Job, run_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A file where the folder should be, and nothing is raised."""
    (run_folder / "tensorboard").write_text("", encoding="utf-8")
    board = Board(job, run_folder)

    with caplog.at_level(logging.WARNING):
        board.begin(ROWS)
        board.add(ROWS[0])
        board.results({"accuracy": 0.5})
        board.close()

    assert len(caplog.records) == 1
    assert "the run is not affected" in caplog.text


def test_a_damaged_record_is_one_warning(
    job: Job, run_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Records that cannot be read are no reason to stop a training."""
    (run_folder / "events.jsonl").write_text("no JSON\n", encoding="utf-8")

    with caplog.at_level(logging.WARNING):
        Board(job, run_folder).begin(ROWS)

    assert len(caplog.records) == 1


@pytest.mark.parametrize(
    ("tokens", "is_there"),
    [
        ((), True),
        (("tensorboard=false",), False),
        (("mode=evaluate", "mode.checkpoint=a.ckpt"), False),
    ],
)
def test_whoever_does_not_want_it_has_none(
    tmp_path: Path, tokens: tuple[str, ...], is_there: bool
) -> None:
    """It is for trainings, and can be left out."""
    assert (Board.of(composed(*tokens).job, tmp_path) is not None) is is_there


def test_without_tensorboard_there_is_no_board() -> None:
    """Nothing is said, and neither TensorBoard nor what it needs is imported."""
    script = (
        "import sys; from pathlib import Path; sys.modules['tensorboard'] = None; "
        "import importlib.util; find = importlib.util.find_spec; "
        "importlib.util.find_spec = lambda n, *a: None if n == 'tensorboard' else find(n, *a); "
        "from tests.jobs import composed; from pipeline.watching import Board; "
        "print(Board.of(composed().job, Path('x')), 'google.protobuf' in sys.modules)"
    )

    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert (done.stdout.strip(), done.stderr) == ("None False", "")
