"""Training: rows, checkpoints, and going on after an end of any kind."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pictures import dots

from pipeline.errors import CheckpointError, DatasetError, TrainingError
from pipeline.training import checkpoints

if TYPE_CHECKING:
    from pictures import MakeSession

    from pipeline.training.session import Session

pytestmark = pytest.mark.mindspore


def train(session: Session, folder: Path, epochs: int, **callbacks: Any) -> Path:
    """Trains the session; nobody listens unless told so."""
    from pipeline.training import loop

    listeners = {name: lambda _: None for name in ("progress", "record", "saved")}
    return loop.train(session, folder, "net", epochs=epochs, **{**listeners, **callbacks})


def digest(session: Session) -> str:
    """The SHA-256 over all weights and optimizer state."""
    state = sorted(session.state().items())
    return hashlib.sha256(b"".join(p.asnumpy().tobytes() for _, p in state)).hexdigest()


def test_each_epoch_has_a_row_a_checkpoint_and_a_record(tmp_path: Path, make_session: MakeSession):
    """Callers hear of samples, rows and files, and learning shows in the rows."""
    samples: list[int] = []
    rows: list[dict[str, float]] = []
    files: list[Path] = []

    last = train(
        make_session(), tmp_path, 3, progress=samples.append, record=rows.append, saved=files.append
    )

    assert last == tmp_path / "net-3.ckpt"
    assert sum(samples) == 3 * 96
    assert [(row["epoch"], row["step"]) for row in rows] == [(1, 6), (2, 12), (3, 18)]
    assert rows[2]["loss"] < rows[0]["loss"]
    assert rows[2]["accuracy"] > rows[0]["accuracy"]
    names = ["net-1.ckpt", "net-1.json", "index.json"]
    assert [path.name for path in files[:3]] == names
    assert all(path.is_file() for path in files)
    assert checkpoints.rows(tmp_path, "net") == rows


def test_a_second_call_does_nothing(
    tmp_path: Path, make_session: MakeSession, caplog: pytest.LogCaptureFixture
):
    """What is trained is not trained again; the session gets the weights."""
    first = make_session()
    train(first, tmp_path, 2)
    times = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    again = make_session()

    train(again, tmp_path, 2, record=pytest.fail)

    assert digest(again) == digest(first)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == times
    assert "damaged" not in caplog.text


def test_going_on_is_bit_identical(
    tmp_path: Path, make_session: MakeSession, caplog: pytest.LogCaptureFixture
):
    """Two epochs and then two more are the same four epochs, past a damaged checkpoint too."""
    caplog.set_level("INFO")
    whole, parted = make_session(), make_session()
    train(whole, tmp_path / "whole", 4)
    train(make_session(), tmp_path / "parts", 3)
    (tmp_path / "parts" / "net-3.ckpt").write_bytes(b"damaged")
    new_rows: list[dict[str, float]] = []

    train(parted, tmp_path / "parts", 4, record=new_rows.append)

    assert digest(parted) == digest(whole)
    assert [row["epoch"] for row in new_rows] == [3, 4]
    assert "resuming after epoch 2" in caplog.text
    assert "bit-identical" not in caplog.text


def test_another_engine_is_said_to_change_the_bits(
    tmp_path: Path, make_session: MakeSession, caplog: pytest.LogCaptureFixture
):
    """Another instruction set or number of cores goes on, with a warning that names it."""
    train(make_session(), tmp_path, 1)
    path = tmp_path / "net-1.json"
    record = json.loads(path.read_text())
    record["engine"].update(instruction_set="SSE41", cores=999)
    path.write_text(json.dumps(record))

    train(make_session(), tmp_path, 2)

    assert "will not be bit-identical; instruction_set: SSE41 -> AVX2" in caplog.text
    assert "cores: 999 -> " in caplog.text


@pytest.mark.parametrize(("share", "is_told"), [(0.5, True), (0.0, False)])
def test_a_network_that_draws_at_random_is_said_to_go_on_otherwise(
    tmp_path: Path,
    make_session: MakeSession,
    caplog: pytest.LogCaptureFixture,
    share: float,
    is_told: bool,
):
    """MindSpore's dropout has a state of its own, which no checkpoint can hold."""
    from mindspore import nn

    def session() -> Session:
        parts = nn.Flatten(), nn.Dense(36, 4), nn.Dropout(p=share)
        return make_session(network=nn.SequentialCell(*parts))

    train(session(), tmp_path, 1)
    assert "bit-identical" not in caplog.text
    train(session(), tmp_path, 2)

    assert ("not be bit-identical; dropout 2: drawn anew" in caplog.text) is is_told


@pytest.mark.parametrize("samples", [5, 16])
def test_few_samples_are_one_batch(tmp_path: Path, make_session: MakeSession, samples: int):
    """With fewer samples than a batch, every one is used."""
    rows: list[dict[str, float]] = []

    train(make_session(train=dots(samples)), tmp_path, 1, record=rows.append)

    assert rows[0]["step"] == 1
    assert rows[0]["accuracy"] * samples == pytest.approx(round(rows[0]["accuracy"] * samples))


def test_a_loss_that_is_no_number_ends_training(tmp_path: Path, make_session: MakeSession):
    """The error names epoch, step, learning rate and the last good checkpoint."""
    train(make_session(), tmp_path, 1)

    with pytest.raises(TrainingError, match=r"epoch 2, step \d+.*1e\+30.*net-1\.ckpt"):
        train(make_session(learning_rate=1e30), tmp_path, 5)


def test_data_that_do_not_fit_the_network_are_refused(tmp_path: Path, make_session: MakeSession):
    """Shapes and labels are compared while compiling, before a weight moves."""
    wide, many = dots(20, size=7), dots(60, classes=6)

    with pytest.raises(DatasetError, match=r"MLP cannot work on image float32 \(n, 1, 7, 7\)"):
        train(make_session(train=wide, test=None), tmp_path, 1)
    with pytest.raises(DatasetError, match="4 classes apart, and there is a label 5"):
        train(make_session(train=many, test=None), tmp_path, 1)


def test_a_session_without_training_data_does_not_train(tmp_path: Path, make_session: MakeSession):
    """Evaluation's sessions have no optimizer, and say so."""
    with pytest.raises(TrainingError, match="no training data"):
        train(make_session(train=None), tmp_path, 1)


def test_a_checkpoint_of_another_network_is_refused(tmp_path: Path, make_session: MakeSession):
    """Resuming never loads half of a state."""
    from pipeline.models.mlp import MLP

    train(make_session(), tmp_path, 1)

    with pytest.raises(CheckpointError, match=r"layers\.1\.weight is \(16, 36\) in the file"):
        train(make_session(network=MLP(4, 1, 6, [8])), tmp_path, 2)
