"""Training that is stopped, told to keep little, measured, or begun from elsewhere goes on."""

from __future__ import annotations

import _thread
import hashlib
import json
import os
import resource
import signal
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pictures import dots, streamed

from pipeline.errors import CheckpointError, DiskFullError, StoppedEarlyError, TrainingError
from pipeline.training import checkpoints
from pipeline.training.plan import EarlyStopping, Plan

if TYPE_CHECKING:
    from pictures import MakeSession

    from pipeline.training.session import Session

pytestmark = pytest.mark.mindspore


def train(session: Session, folder: Path, epochs: int, **changes: Any) -> Path:
    """Trains the session; nobody listens unless told so."""
    from pipeline.training import loop

    listeners = {name: lambda _: None for name in ("progress", "record", "saved")}
    return loop.train(session, folder, "net", epochs=epochs, **{**listeners, **changes})


def digest(session: Session) -> str:
    """The SHA-256 over all weights and optimizer state."""
    state = sorted(session.state().items())
    return hashlib.sha256(b"".join(p.asnumpy().tobytes() for _, p in state)).hexdigest()


def without_times(rows: Any) -> list[dict[str, float]]:
    """Rows but for what differs from run to run."""
    return [{n: v for n, v in row.items() if n not in ("seconds", "samples_per_s")} for row in rows]


def after(calls: int) -> Callable[[], bool]:
    """Says yes when asked for the so-manieth time."""
    asked: list[None] = []

    def should_stop() -> bool:
        asked.append(None)
        return len(asked) == calls

    return should_stop


@pytest.mark.parametrize("is_streamed", [False, True])
@pytest.mark.parametrize("calls", [1, 4, 6, 8])
def test_stopped_within_an_epoch_it_goes_on_with_the_same_bits(
    tmp_path: Path, make_session: MakeSession, is_streamed: bool, calls: int
):
    """State and sums are saved: weights and rows are those of an undisturbed training."""
    data = {"train": streamed(dots(100)), "test": None} if is_streamed else {}
    whole, parted = make_session(**data), make_session(**data)
    train(whole, tmp_path / "whole", 3)

    with pytest.raises(StoppedEarlyError, match="asked to stop after step"):
        train(make_session(**data), tmp_path / "parts", 3, should_stop=after(calls))
    train(parted, tmp_path / "parts", 3)

    assert digest(parted) == digest(whole)
    assert without_times(checkpoints.rows(tmp_path / "parts", "net")) == without_times(
        checkpoints.rows(tmp_path / "whole", "net")
    )
    names = [sorted(p.name for p in (tmp_path / n).iterdir()) for n in ("whole", "parts")]
    assert names[0] == names[1]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_waits_until_the_state_is_whole(
    tmp_path: Path, make_session: MakeSession, number: signal.Signals
):
    """It is handled between two graphs, after which the state is saved."""

    def interrupt(_samples: int) -> None:
        # Threads from before would take a SIGINT to the process (see `interrupts.heard`).
        if number == signal.SIGINT:
            _thread.interrupt_main()
        else:
            os.kill(os.getpid(), number)

    def handler(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(number, handler)
    try:
        # An epoch of many steps, of whose losses some are read within it.
        session = make_session(batch_size=1, train=dots(3000))
        with pytest.raises(KeyboardInterrupt):
            train(session, tmp_path, 1, progress=interrupt)
        assert signal.getsignal(number) is handler
    finally:
        signal.signal(number, before)
    found = checkpoints.newest(tmp_path, "net")

    assert found is not None
    assert found.path.name == "state.ckpt"
    assert found.progress.partial is not None
    assert 0 < found.progress.partial.steps == found.progress.step < 3000


def test_states_within_an_epoch_are_saved_in_time(tmp_path: Path, make_session: MakeSession):
    """One replaced file and its record, told of each time, and gone at the end."""
    saved: list[str] = []
    pruned: list[str] = []

    train(
        make_session(batch_size=1, train=dots(2000)),
        tmp_path,
        1,
        plan=Plan(checkpoint_every_s=0.05),
        saved=lambda path: saved.append(path.name),
        pruned=lambda path: pruned.append(path.name),
    )

    assert saved.count("state.ckpt") == saved.count("state.json") >= 2
    assert saved[-3:] == ["net-1.ckpt", "net-1.json", "index.json"]
    assert pruned == ["state.ckpt", "state.json"]
    assert not (tmp_path / "state.ckpt").exists()


def test_old_checkpoints_are_pruned_and_no_row_is_lost(tmp_path: Path, make_session: MakeSession):
    """The newest two and the best stay; each removed file is told."""
    pruned: list[str] = []
    scores = iter([0.1, 0.9, 0.2, 0.3, 0.4])

    train(
        make_session(),
        tmp_path,
        5,
        plan=Plan(keep_checkpoints=2, evaluate_every=1),
        measure=lambda: {"accuracy": next(scores)},
        pruned=lambda path: pruned.append(path.name),
    )

    index = json.loads((tmp_path / "index.json").read_text())
    assert (index["best"]["path"], index["last"]["path"]) == ("net-2.ckpt", "net-5.ckpt")
    assert sorted(p.name for p in tmp_path.glob("*.ckpt")) == [f"net-{n}.ckpt" for n in (2, 4, 5)]
    # The state is from before the first measuring, of which nobody knows how long it takes.
    gone = [f"net-{n}.{kind}" for n in (1, 3) for kind in ("ckpt", "json")]
    assert sorted(pruned) == [*gone, "state.ckpt", "state.json"]
    rows = checkpoints.rows(tmp_path, "net")
    assert [row["test_accuracy"] for row in rows] == [0.1, 0.9, 0.2, 0.3, 0.4]


def test_what_a_kill_kept_from_the_last_save_is_made_up_for(
    tmp_path: Path, make_session: MakeSession
):
    """The index names the last checkpoint, and there are as few of them as were asked for."""
    train(make_session(), tmp_path, 2)
    older = (tmp_path / "index.json").read_bytes()
    train(make_session(), tmp_path, 3)
    (tmp_path / "index.json").write_bytes(older)
    saved: list[str] = []
    pruned: list[str] = []

    train(
        make_session(),
        tmp_path,
        3,
        plan=Plan(keep_checkpoints=1),
        saved=lambda path: saved.append(path.name),
        pruned=lambda path: pruned.append(path.name),
    )

    assert json.loads((tmp_path / "index.json").read_text())["last"]["path"] == "net-3.ckpt"
    assert saved == ["index.json"]
    assert set(pruned) == {"net-1.ckpt", "net-1.json", "net-2.ckpt", "net-2.json"}


def test_training_stops_early_and_stays_finished(tmp_path: Path, make_session: MakeSession):
    """Patience is counted over resumes, and a finished training is not begun again."""
    plan = Plan(evaluate_every=1, early_stopping=EarlyStopping("loss", patience=2))
    losses = iter([0.5, 0.4, 0.6])

    with pytest.raises(StoppedEarlyError):
        train(
            make_session(),
            tmp_path,
            10,
            plan=plan,
            measure=lambda: {"loss": next(losses)},
            should_stop=after(18),
        )
    last = train(make_session(), tmp_path, 10, plan=plan, measure=lambda: {"loss": 0.5})
    again = train(make_session(), tmp_path, 10, plan=plan, record=pytest.fail)

    assert last == again == tmp_path / "net-4.ckpt"
    assert checkpoints.finished(tmp_path, "net", 10, plan) == last
    assert checkpoints.finished(tmp_path, "net", 10) is None


def test_measuring_changes_no_weight(tmp_path: Path, make_session: MakeSession):
    """The network trains on as if it had not been measured, dropout included."""
    from mindspore import nn

    from pipeline.training import evaluation

    def network() -> Any:
        return nn.SequentialCell(
            nn.Flatten(), nn.Dense(36, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dense(8, 4)
        )

    plain, watched = make_session(network=network()), make_session(network=network())
    for mine, other in zip(watched.state().values(), plain.state().values()):
        mine.set_data(other.copy())

    train(plain, tmp_path / "plain", 3)
    train(
        watched,
        tmp_path / "watched",
        3,
        plan=Plan(evaluate_every=1),
        measure=lambda: {"accuracy": evaluation.evaluate(watched).accuracy},
    )

    assert [p.asnumpy().tolist() for p in watched.weights().values()] == [
        p.asnumpy().tolist() for p in plain.weights().values()
    ]


@pytest.mark.parametrize("is_streamed", [False, True])
def test_an_epoch_is_not_lost_while_it_is_measured(
    tmp_path: Path, make_session: MakeSession, is_streamed: bool
):
    """Ended in a measuring that may take long, training goes on with it and with the same bits."""
    data = {"train": streamed(dots(100)), "test": None} if is_streamed else {}
    plan = Plan(evaluate_every=1)
    whole, parted = make_session(**data), make_session(**data)
    train(whole, tmp_path / "whole", 2, plan=plan, measure=lambda: {"accuracy": 0.5})

    def interrupted() -> dict[str, float]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(make_session(**data), tmp_path / "parts", 2, plan=plan, measure=interrupted)
    found = checkpoints.newest(tmp_path / "parts", "net")
    train(parted, tmp_path / "parts", 2, plan=plan, measure=lambda: {"accuracy": 0.5})

    assert found is not None
    assert (found.path.name, found.progress.step) == ("state.ckpt", 6)
    assert digest(parted) == digest(whole)
    assert without_times(checkpoints.rows(tmp_path / "parts", "net")) == without_times(
        checkpoints.rows(tmp_path / "whole", "net")
    )


@pytest.mark.parametrize("has_record", [True, False])
def test_a_finished_training_goes_on_elsewhere(
    tmp_path: Path, make_session: MakeSession, has_record: bool
):
    """From one .ckpt alone: two epochs and two more are four, rows included."""
    whole, further = make_session(), make_session()
    train(whole, tmp_path / "whole", 4)
    start = train(make_session(), tmp_path / "first", 2)
    if not has_record:
        start.with_suffix(".json").unlink()
    rows: list[dict[str, float]] = []

    train(further, tmp_path / "second", 4, start_from=start, record=rows.append)

    assert digest(further) == digest(whole)
    assert without_times(rows) == without_times(checkpoints.rows(tmp_path / "whole", "net"))
    assert ("seconds" in rows[0]) is has_record
    assert checkpoints.rows(tmp_path / "second", "net") == rows


def test_an_unfinished_training_goes_on_elsewhere(tmp_path: Path, make_session: MakeSession):
    """A state from within an epoch will do; the folder's own state then counts."""
    whole, further = make_session(), make_session()
    train(whole, tmp_path / "whole", 2)
    with pytest.raises(StoppedEarlyError):
        train(make_session(), tmp_path / "first", 2, should_stop=after(3))
    start = tmp_path / "first" / "state.ckpt"

    with pytest.raises(StoppedEarlyError):
        train(further, tmp_path / "second", 2, start_from=start, should_stop=after(2))
    start.unlink()
    train(further, tmp_path / "second", 2, start_from=start)

    assert digest(further) == digest(whole)


def test_other_batches_begin_the_epoch_anew(
    tmp_path: Path, make_session: MakeSession, caplog: pytest.LogCaptureFixture
):
    """A place in an order of other batches means nothing, and the log says so."""
    with pytest.raises(StoppedEarlyError):
        train(make_session(), tmp_path, 2, should_stop=after(3))
    rows: list[dict[str, float]] = []

    train(make_session(batch_size=8), tmp_path, 1, record=rows.append)

    assert "epoch 1 begins anew" in caplog.text
    assert rows[0]["step"] == 3 + 12


def test_what_cannot_be_begun_from_is_refused(tmp_path: Path, make_session: MakeSession):
    """Weights alone, and a training that has come as far already."""
    from pipeline.training import parameters

    session = make_session()
    plain = tmp_path / "plain.ckpt"
    parameters.write(plain, session.weights().values(), {})
    done = train(session, tmp_path / "done", 2)

    with pytest.raises(CheckpointError, match=r"no whole state.*mode\.checkpoint"):
        train(make_session(), tmp_path / "a", 2, start_from=plain)
    with pytest.raises(CheckpointError, match=r"2 epochs, and mode\.epochs is 2"):
        train(make_session(), tmp_path / "b", 2, start_from=done)


@pytest.mark.parametrize(
    ("hides", "told"),
    [(False, r"loss is nan in epoch 2, step 9,"), (True, r"weight is not finite after step 9,")],
)
def test_numbers_that_are_none_are_told_with_their_step(
    tmp_path: Path, make_session: MakeSession, hides: bool, told: str
):
    """The very step and the last good checkpoint, also where a ReLU hides it from the loss."""
    from mindspore import nn

    def make(**changes: Any) -> Session:
        linear = None if hides else nn.SequentialCell(nn.Flatten(), nn.Dense(36, 4))
        return make_session(network=linear, **changes)

    train(make(), tmp_path, 1)
    data = dots(100)
    of_step_9 = _order(100, epoch=2)[2 * 16]
    data.inputs[0][of_step_9] = float("nan")
    plan = Plan(checkpoint_every_s=1e-6 if hides else None)

    with pytest.raises(TrainingError, match=told + r".* rate of 0\.05.*(net-1|state)\.ckpt"):
        train(make(train=data), tmp_path, 3, plan=plan)

    found = checkpoints.newest(tmp_path, "net")
    assert found is not None
    assert found.progress.step == (8 if hides else 6)


def _order(samples: int, *, epoch: int) -> list[int]:
    from pipeline.training import order

    return list(order.permutation(samples, seed=1, epoch=epoch))


def test_a_full_disk_keeps_the_last_good_checkpoint(tmp_path: Path, make_session: MakeSession):
    """What was saved is there and whole, and nothing half done beside it."""
    train(make_session(), tmp_path, 1)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, limits[1]))
    try:
        with pytest.raises(DiskFullError, match="space"):
            train(make_session(), tmp_path, 2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
