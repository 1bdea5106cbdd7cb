"""Components: checked without importing them, and by importing where that is the only way."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from pipeline.job import component
from pipeline.job.component import Call
from pipeline.job.probe import probe

SOURCE = """
import json
raise RuntimeError("this module must not be imported by a check")

def load(folders, split, *, size=32, **more): ...
def plain(folders, split, size): ...
def strict(folders, split, /, *, size): ...
class Net:
    def __init__(self, classes, channels=1): ...
class Inherits(Net):
    pass
@json.loads
def decorated(folders, split): ...
made = object()
def typed(size: int, rate: float = 0.1, *, on: bool = True, label: str = "", odd: "int" = 1): ...
"""


@pytest.fixture(autouse=True)
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module of a user's own, found like any other, that cannot be imported."""
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    path = tmp_path / "checked_module.py"
    path.write_text(SOURCE)
    return path


def check(name: str, positional: int = 0, **arguments: Any) -> dict[str, str]:
    """The problems with calling that name of the module, by argument."""
    verdict = component.check(Call(f"checked_module.{name}", positional, arguments))
    assert verdict.is_certain
    return {problem.argument: problem.text for problem in verdict.problems}


def test_text_where_the_source_says_number() -> None:
    """What could only fail when it is called is named before anything is fetched."""
    wrong = check("typed", size="big", rate="fast", on="yes", label="7", odd="x")

    assert set(wrong) == {"size", "rate", "on"}
    assert wrong["size"] == "'big': checked_module.typed expects int"
    assert check("typed", size=3, rate=1, on=None) == {}


def test_what_is_given_and_what_is_offered() -> None:
    """A name given in any case must be taken, one offered may be left; both fill what is needed."""

    def problems(name: str, given: str, offered: str, **arguments: Any) -> list[tuple[str, str]]:
        call = Call(f"checked_module.{name}", 0, arguments, (given,), (offered,))
        return [(p.argument, p.text.split(" ", 1)[1]) for p in component.check(call).problems]

    assert problems("typed", "rate", "size") == []
    assert problems("Net", "channels", "classes") == []
    assert problems("Net", "classes", "depth") == []
    assert problems("Net", "classes", "depth", channels=2) == []
    assert problems("Net", "rate", "classes") == [
        ("_target_", "takes no rate, with which it is called")
    ]
    assert problems("Net", "classes", "depth", classes=2) == [("classes", "is given it already")]
    assert problems("load", "folders", "split", rate=2) == []


@pytest.mark.parametrize(
    ("name", "positional", "arguments"),
    [
        ("load", 2, {}),
        ("load", 2, {"size": 3, "anything": 4}),
        ("plain", 2, {"size": 3}),
        ("strict", 2, {"size": 3}),
        ("Net", 0, {"classes": 10}),
    ],
)
def test_a_call_that_fits(name: str, positional: int, arguments: dict[str, Any]) -> None:
    """Functions and classes of every kind of signature."""
    assert check(name, positional, **arguments) == {}


def test_every_wrong_argument_is_told() -> None:
    """What is missing and what is too much come together, each under its name."""
    assert set(check("Net", chanels=1)) == {"classes", "chanels"}
    assert set(check("plain", 2, split="x", sise=1)) == {"split", "sise", "size"}


def test_a_loader_that_takes_too_few_values() -> None:
    """A loader is called with folders and a split; a function of none cannot be one."""
    assert "by position" in check("Net", 3)["_target_"]


@pytest.mark.parametrize(
    ("target", "word"),
    [
        ("checked_module.Nett", "did you mean 'Net'"),
        ("checked_modul.Net", "no module named 'checked_modul'"),
        ("checked_module.Net.deeper", "no module named 'checked_module.Net'"),
        ("pipeline.models.nothing.Net", "no module named 'pipeline.models.nothing'"),
        ("os.system", "standard library"),
        ("os.path.join", "standard library"),
        ("builtins.eval", "standard library"),
        ("subprocess.run", "standard library"),
        ("xml.dom.minidom.parse", "standard library"),
    ],
)
def test_a_target_that_is_wrong(target: str, word: str) -> None:
    """A name that leads nowhere, or to what makes neither data nor networks."""
    (problem,) = component.check(Call(target, 0, {})).problems

    assert problem.argument == "_target_"
    assert word in f"{problem.text} {problem.remedy}"


@pytest.mark.parametrize("name", ["Inherits", "decorated", "made", "json"])
def test_what_only_an_import_can_tell(name: str) -> None:
    """The source does not say what these take, so the check does not guess."""
    assert not component.check(Call(f"checked_module.{name}", 0, {})).is_certain


def test_a_module_that_is_no_python(module: Path) -> None:
    """A syntax error is told with its file and line."""
    module.write_text("x = 1\ndef broken(:\n")

    assert f"{module} line 2" in check("broken")["_target_"]


def test_code_of_the_users_own_comes_last(tmp_path: Path) -> None:
    """A module of a user's own never hides one of a library."""
    component.find_code_in([tmp_path / "a", tmp_path / "a", tmp_path])

    assert sys.path[-1] == str(tmp_path / "a")
    assert sys.path.count(str(tmp_path / "a")) == 1


def test_building_calls_the_target(module: Path) -> None:
    """A target is imported and called with what the house and the job give it."""
    module.with_name("built_module.py").write_text("def add(a, b, *, c): return a, b, c\n")

    assert component.build("built_module.add", 1, 2, c=3) == (1, 2, 3)


def test_probing_imports_with_the_variables_of_the_device(module: Path) -> None:
    """A helper process sees the environment it is given, and what the module prints is no harm."""
    module.with_name("probed.py").write_text(
        "import os\nprint('noise')\nassert os.environ['FOR_TESTS'] == '1'\n"
        "class Base:\n    def __init__(self, a): ...\n"
        "class Net(Base): pass\nnumber = 3\n"
    )
    calls = {
        "right": Call("probed.Net", 0, {"a": 1}),
        "wrong": Call("probed.Net", 0, {"b": 1}),
        "number": Call("probed.number", 0, {}),
        "near": Call("probed.Nett", 0, {}),
        "raises": Call("checked_module.Net", 0, {}),
    }

    found = probe(calls, {**os.environ, "FOR_TESTS": "1"})

    assert found["right"] == ()
    assert {problem.argument for problem in found["wrong"]} == {"a", "b"}
    assert "did you mean 'Net'?" in found["near"][0].remedy
    assert "is a int" in found["number"][0].text
    assert "RuntimeError" in found["raises"][0].text


def test_probing_survives_whatever_a_module_does(module: Path) -> None:
    """A module that ends the process, or never ends, is a problem told, not a crash."""
    module.with_name("aborts.py").write_text("import os\nos._exit(7)\n")
    module.with_name("sleeps.py").write_text("import time\ntime.sleep(60)\n")

    aborted = probe({"x": Call("aborts.Net", 0, {})}, os.environ)
    slept = probe({"x": Call("sleeps.Net", 0, {})}, os.environ, timeout_s=0.5)

    assert "exit 7" in aborted["x"][0].text
    assert "took over" in slept["x"][0].text
    assert probe({}, os.environ) == {}


def test_folders_without_an_init_are_packages(tmp_path: Path) -> None:
    """A module in folders of the user's own is found in whatever depth, and nothing is imported."""
    deep = tmp_path / "flowers" / "inner" / "deeper"
    deep.mkdir(parents=True)
    (deep / "net.py").write_text(SOURCE)
    # Where a thread of another test has looked here a moment ago, Python would not look again.
    importlib.invalidate_caches()

    assert component.source_of("flowers.inner.deeper.net.Net") == deep / "net.py"
    assert component.check(Call("flowers.inner.deeper.net.Net", 0, {"classes": 2})).problems == ()
    assert component.source_of("flowers.inner.nothing.net.Net") is None
    assert "flowers" not in sys.modules
