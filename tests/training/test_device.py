"""MindSpore is prepared quietly, or refused in one message."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.errors import DependencyError, DeviceError
from pipeline.training import device


def prepare(target: str, scratch: Path) -> device.Engine:
    """Prepares with the usual settings."""
    return device.prepare(target, precision="O0", seed=1, scratch=scratch)


def test_an_unknown_target_is_refused(tmp_path: Path):
    """The error lists what there is."""
    with pytest.raises(DeviceError, match=r"'TPU'.*CPU, GPU, Ascend"):
        prepare("TPU", tmp_path)


def test_a_missing_mindspore_is_told_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """No traceback of an import, but what to install."""
    monkeypatch.setitem(sys.modules, "mindspore", None)

    with pytest.raises(DependencyError, match="pip install mindspore"):
        prepare("CPU", tmp_path)


@pytest.mark.parametrize(
    ("mindspore_version", "numpy_version", "said"),
    [("2.1.1", "1.26.4", "too old"), ("2.10.0", "2.0.1", "numpy<2")],
)
def test_versions_that_fail_later_are_refused_now(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    mindspore_version: str,
    numpy_version: str,
    said: str,
):
    """An old MindSpore and a new numpy are named, with what to install."""
    fake = type(sys)("mindspore")
    fake.__version__ = mindspore_version
    monkeypatch.setitem(sys.modules, "mindspore", fake)
    monkeypatch.setattr(device.importlib.metadata, "version", lambda _name: numpy_version)

    with pytest.raises(DependencyError, match=said):
        prepare("CPU", tmp_path)


@pytest.mark.mindspore
@pytest.mark.usefixtures("make_session")
def test_a_target_this_machine_lacks_is_refused_in_one_sentence(tmp_path: Path):
    """MindSpore's page of library names and call stacks is reduced to its first sentence."""
    with pytest.raises(DeviceError, match="cannot use device target GPU") as caught:
        prepare("GPU", tmp_path)

    assert "\n" not in str(caught.value)
    assert prepare("CPU", tmp_path).target == "CPU"


@pytest.mark.parametrize(("target", "number"), [("Ascend", 3), ("CPU", None)])
def test_each_rank_takes_its_own_device(
    monkeypatch: pytest.MonkeyPatch, target: str, number: int | None
):
    """The device's number counts on Ascend; a CPU has none."""
    taken: list[tuple[str, int | None]] = []
    fake = type(sys)("mindspore")
    fake.__version__ = "2.10.0"
    fake.GRAPH_MODE = 0
    fake.set_context = lambda **_settings: None
    fake.set_device = lambda *device: taken.append(device)
    monkeypatch.setitem(sys.modules, "mindspore", fake)
    monkeypatch.setattr(device.importlib.metadata, "version", lambda _name: "1.26.4")

    device.use(target, device_id=3)

    assert taken == [(target, number)]


COMPILE_ERROR = """
import sys
from pathlib import Path
from pipeline.training import device
print(device.prepare("CPU", precision="O0", seed=1, scratch=Path(sys.argv[1])))
import mindspore
from mindspore import Tensor, nn
net = nn.Dense(3, 4)
net(Tensor([[1.0, 2.0, 3.0]]))
print("quiet so far", file=sys.stderr, flush=True)
try:
    net(Tensor([[1.0, 2.0]]))
except ValueError:
    print("refused")
"""


@pytest.mark.mindspore
def test_mindspore_is_quiet_and_its_litter_lands_in_scratch(
    tmp_path: Path, child_environment: dict[str, str]
):
    """A good run writes nothing to stderr, and a failed compilation nothing to where we stand."""
    here, scratch = tmp_path / "here", tmp_path / "scratch"
    here.mkdir()

    ended = subprocess.run(
        [sys.executable, "-W", "error::DeprecationWarning:__main__", "-c", COMPILE_ERROR, scratch],
        env=child_environment,
        cwd=here,
        capture_output=True,
        text=True,
        check=False,
    )

    assert "refused" in ended.stdout
    assert "instruction_set='AVX2'" in ended.stdout
    assert ended.stderr.startswith("quiet so far")
    assert not list(here.iterdir())
    assert list(scratch.rglob("analyze_fail.ir"))


@pytest.mark.slow
@pytest.mark.mindspore
@pytest.mark.parametrize("module", ["numpy", "mindspore.context"])
def test_a_signal_waits_until_mindspore_is_imported(tmp_path: Path, module: str):
    """Half imported it would crash at the end: the process ends as its handler says."""
    script = f"""
import os, signal, sys
from pathlib import Path
from pipeline.training import device

class Signalling:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            os.kill(os.getpid(), signal.SIGTERM)

signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
sys.meta_path.insert(0, Signalling())
device.prepare("CPU", precision="O0", seed=1, scratch=Path({str(tmp_path)!r}))
"""

    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=120
    )

    assert (ended.returncode, ended.stderr) == (143, "")
