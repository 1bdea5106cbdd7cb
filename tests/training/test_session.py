"""Sessions take weights from any checkpoint that fits, whole or not at all."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from pictures import dots

from pipeline.data import Arrays
from pipeline.errors import CheckpointError, DatasetError

if TYPE_CHECKING:
    from pictures import MakeSession

    from pipeline.training.session import Session

pytestmark = pytest.mark.mindspore


def save(path: Path, values: dict[str, np.ndarray], **extra: int) -> Path:
    """Writes a checkpoint as a script of anybody's would: no CRC, no record."""
    import mindspore

    entries = [{"name": n, "data": mindspore.Tensor(v)} for n, v in values.items()]
    mindspore.save_checkpoint(entries, str(path), append_dict=extra)
    return path


def values_of(session: Session) -> dict[str, np.ndarray]:
    """The session's weights as arrays of ones."""
    return {n: np.ones(p.shape, np.float32) for n, p in session.weights().items()}


def test_a_plain_checkpoint_loads(tmp_path: Path, make_session: MakeSession):
    """Weights by plain names are all that is needed."""
    from pipeline.training.session import load_weights

    session = make_session()

    load_weights(session, save(tmp_path / "plain.ckpt", values_of(session)))

    assert all((p.asnumpy() == 1).all() for p in session.weights().values())


def test_optimizer_state_beside_the_weights_is_left_alone(
    tmp_path: Path, make_session: MakeSession
):
    """A checkpoint of ModelCheckpoint, with moments and counters, loads as weights."""
    from pipeline.training.session import load_weights

    session = make_session(train=None)
    weights = values_of(session)
    moments = {f"moments.{name}": value for name, value in weights.items()}
    moments = {**moments, **{f"mu_{name}": np.float32([1]) for name in weights}}
    scalars = {"learning_rate": np.float32([0.1]), "global_step": np.int32([7])}

    load_weights(
        session, save(tmp_path / "full.ckpt", {**weights, **moments, **scalars}, epoch_num=3)
    )

    assert all((p.asnumpy() == 1).all() for p in session.weights().values())


def test_everything_that_does_not_fit_is_listed_and_nothing_changes(
    tmp_path: Path, make_session: MakeSession
):
    """Missing, unknown and misshapen parameters are named together."""
    from pipeline.training.session import load_weights

    session = make_session()
    before = [p.asnumpy() for p in session.weights().values()]
    values = values_of(session)
    del values["layers.1.bias"]
    values["layers.3.weight"] = np.ones((9, 16), np.float32)
    values["classifier.weight"] = np.ones(3, np.float32)

    with pytest.raises(CheckpointError) as caught:
        load_weights(session, save(tmp_path / "odd.ckpt", values))

    message = str(caught.value)
    assert "missing in the file: layers.1.bias" in message
    assert "unknown to the network: classifier.weight" in message
    assert "layers.3.weight is (9, 16) in the file, (4, 16) in the network" in message
    assert all(map(np.array_equal, before, (p.asnumpy() for p in session.weights().values())))


def test_without_strict_what_fits_is_loaded_and_the_rest_told(
    tmp_path: Path, make_session: MakeSession, caplog: pytest.LogCaptureFixture
):
    """A network with another head keeps its own head, and everything else is the file's."""
    from pipeline.training.session import load_weights

    session = make_session()
    before = {name: p.asnumpy() for name, p in session.weights().items()}
    values = values_of(session)
    del values["layers.1.bias"]
    values["layers.3.weight"] = np.ones((9, 16), np.float32)
    values["classifier.weight"] = np.ones(3, np.float32)

    left_out = load_weights(session, save(tmp_path / "odd.ckpt", values), strict=False)

    after = {name: p.asnumpy() for name, p in session.weights().items()}
    kept = {"layers.1.bias", "layers.3.weight"}
    assert all((after[n] == (before[n] if n in kept else 1)).all() for n in after)
    (told,) = [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
    assert all(problem in told for problem in left_out)
    assert "missing in the file: layers.1.bias" in told
    assert "unknown to the network: classifier.weight" in told
    assert "layers.3.weight is (9, 16) in the file, (4, 16) in the network" in told


def test_without_strict_something_must_fit(tmp_path: Path, make_session: MakeSession):
    """The weights of quite another network are refused all the same."""
    from pipeline.training.session import load_weights

    strange = save(tmp_path / "strange.ckpt", {"conv.weight": np.ones(3, np.float32)})

    with pytest.raises(CheckpointError, match=r"nothing in .*strange\.ckpt fits the network"):
        load_weights(make_session(), strange, strict=False)


def test_a_missing_file_is_named(tmp_path: Path, make_session: MakeSession):
    """The error tells the path that was tried."""
    from pipeline.training.session import load_weights

    with pytest.raises(CheckpointError, match=r"there is no checkpoint .*gone\.ckpt"):
        load_weights(make_session(), tmp_path / "gone.ckpt")


@pytest.mark.parametrize("content", [b"", b"PK\3\4 no checkpoint", b"\x0a\xff\xff"])
def test_a_file_that_is_no_checkpoint_is_named(
    tmp_path: Path, make_session: MakeSession, content: bytes
):
    """Whatever lies there, the error is ours and names it."""
    from pipeline.training.session import load_weights

    path = tmp_path / "strange.ckpt"
    path.write_bytes(content)

    with pytest.raises(CheckpointError, match=r"strange\.ckpt"):
        load_weights(make_session(), path)


def test_a_flipped_bit_is_caught(tmp_path: Path, make_session: MakeSession):
    """Our own checkpoints carry a CRC, which every load checks."""
    from pipeline.training import parameters

    path = tmp_path / "net.ckpt"
    parameters.write(path, make_session().weights().values(), {"epoch": 1})
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.chmod(0o600)
    path.write_bytes(content)

    with pytest.raises(CheckpointError, match="crc"):
        parameters.read(path)


def test_splits_of_different_shape_are_refused(make_session: MakeSession):
    """Training and test data come from one loader and look alike."""
    with pytest.raises(DatasetError, match=r"\(n, 1, 6, 6\).*\(n, 1, 7, 7\)"):
        make_session(test=dots(20, size=7))


def test_labels_below_zero_are_refused(make_session: MakeSession):
    """The loss would read memory that is not its own."""
    data = Arrays({"image": np.ones((2, 1, 6, 6), np.float32), "label": np.int32([0, -1])})

    with pytest.raises(DatasetError, match="label -1"):
        make_session(train=data)


def test_half_precision_trains_too(tmp_path: Path, make_session: MakeSession):
    """With each level the loss is scaled for the gradients, and told unscaled."""
    from pipeline.training import loop

    losses = {}
    for precision in ("O0", "O1", "O2", "O3"):
        rows: list[dict[str, float]] = []
        loop.train(
            make_session(precision=precision),
            tmp_path / precision,
            "net",
            epochs=2,
            progress=lambda _: None,
            record=rows.append,
            saved=lambda _: None,
        )
        losses[precision] = [row["loss"] for row in rows]

    for found in losses.values():
        assert found == pytest.approx(losses["O0"], rel=0.02)


@pytest.mark.parametrize("precision", ["O1", "O2", "O3"])
def test_mixed_precision_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_session: MakeSession, precision: str
):
    """MindSpore writes a network into the folder it is in, and changes where modules are found."""
    monkeypatch.chdir(tmp_path)
    places = list(sys.path)

    make_session(precision=precision)

    assert list(tmp_path.iterdir()) == []
    assert Path.cwd() == tmp_path
    assert sys.path == places
