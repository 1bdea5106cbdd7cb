"""The frame around the code: packaging, the lock, the Makefile, the papers."""

from __future__ import annotations

import doctest
import importlib
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from pipeline.installing.installed import read_list
from tests import shape

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parent.parent
PYTHONS = ("3.9", "3.10", "3.11", "3.12")
PLATFORMS = (("linux", "x86_64"), ("linux", "aarch64"), ("darwin", "arm64"))
LIGHT_LIST = "pip-requirements.txt"
RUN_BY_PLATFORMS = (
    "pip-requirement.txt",
    LIGHT_LIST,
    "requirement.txt",
    "requirements.txt",
)


def read(name: str) -> str:
    """The text of a file at the root."""
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def pyproject() -> dict[str, Any]:
    """The whole of pyproject.toml."""
    return tomllib.loads(read("pyproject.toml"))


@pytest.fixture(scope="module")
def dependencies(pyproject: dict[str, Any]) -> list[Requirement]:
    """What pyproject.toml asks for, at run time and in every extra."""
    project = pyproject["project"]
    extras = project["optional-dependencies"].values()
    texts = [*project["dependencies"], *(text for extra in extras for text in extra)]
    return [Requirement(text) for text in texts]


def pins(python: str, system: str, machine: str) -> dict[str, Requirement]:
    """What constraints.txt pins there, by name; a name pinned twice is refused."""
    there = {
        "implementation_name": "cpython",
        "platform_machine": machine,
        "platform_python_implementation": "CPython",
        "python_full_version": f"{python}.5",
        "python_version": python,
        "sys_platform": system,
    }
    lines = [line for line in read("constraints.txt").splitlines() if not line.startswith("#")]
    requirements = [Requirement(line) for line in lines]
    found = [r for r in requirements if r.marker is None or r.marker.evaluate(there)]
    names = [canonicalize_name(r.name) for r in found]
    assert sorted(set(names)) == sorted(names)
    return dict(zip(names, found))


def pinned_version(requirement: Requirement) -> str:
    """The one version that a pin admits."""
    return str(requirement.specifier).removeprefix("==")


@pytest.mark.parametrize("name", RUN_BY_PLATFORMS)
def test_no_other_file_that_a_platform_installs_from_by_itself(name: str) -> None:
    """A cloud platform runs pip on these names at the root, so only the light list lies there."""
    assert (ROOT / name).exists() is (name == LIGHT_LIST)


def test_the_light_list_is_what_pyproject_asks_for_without_what_images_bring(
    pyproject: dict[str, Any],
) -> None:
    """A preset image installs our bounds of the light packages, and nothing that it has itself."""
    lines = [line for line in read(LIGHT_LIST).splitlines() if not line.startswith("#")]
    declared = pyproject["project"]["dependencies"]
    heavy = {"mindspore", "moxing", "numpy", "esdk-obs-python"}

    assert lines == [text for text in declared if Requirement(text).name not in heavy]
    assert [need.text for need in read_list(read(LIGHT_LIST))] == lines


@pytest.mark.parametrize("name", ["Makefile", "run.py"])
def test_one_range_of_python_everywhere(name: str, pyproject: dict[str, Any]) -> None:
    """The Makefile and run.py name the oldest and newest Python that pyproject.toml admits."""
    declared = re.fullmatch(r">=3\.(\d+),<3\.(\d+)", pyproject["project"]["requires-python"])
    assert declared is not None
    oldest, too_new = (int(minor) for minor in declared.groups())

    named = {int(minor) for minor in re.findall(r"\b3(?:\.|, ?)(\d+)\b", read(name))}

    assert min(named) == oldest
    assert max(named) in {too_new - 1, too_new}
    assert (PYTHONS[0], PYTHONS[-1]) == (f"3.{oldest}", f"3.{too_new - 1}")


def test_every_ignored_rule_and_warning_has_its_reason(pyproject: dict[str, Any]) -> None:
    """Whatever the linter or pytest is told to ignore has a comment on its own line."""
    lint = pyproject["tool"]["ruff"]["lint"]
    files = lint.get("per-file-ignores", {}).values()
    rules = {*lint["ignore"], *(rule for rules in files for rule in rules)}
    filters = pyproject["tool"]["pytest"]["ini_options"]["filterwarnings"]
    ignored = {f'"{text}"' for text in (*rules, *(f for f in filters if f.startswith("ignore")))}
    lists = read("pyproject.toml").split("ignore = [", 1)[1].replace("\\\\", "\\").splitlines()

    without_reason = {
        text
        for text in ignored
        if not any(re.search(re.escape(text) + r".*# \w", line) for line in lists)
    }

    assert without_reason == set()


def test_the_lock_holds_pins_and_nothing_else() -> None:
    """Each line of constraints.txt is name==version with a marker: no index, no host, no hash."""
    lines = [line for line in read("constraints.txt").splitlines() if not line.startswith("#")]

    odd = [
        line for line in lines if not re.fullmatch(r"[\w.-]+==[\w.]+( ; [\w\s.<>=!'()*]+)?", line)
    ]

    assert lines
    assert odd == []
    assert "://" not in read("constraints.txt")


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize(("system", "machine"), PLATFORMS)
def test_the_lock_pins_each_dependency_within_its_range(
    python: str, system: str, machine: str, dependencies: list[Requirement]
) -> None:
    """Every dependency and extra has one pin, and it is one that pyproject.toml admits."""
    there = {"python_version": python, "sys_platform": system, "platform_machine": machine}
    pinned = pins(python, system, machine)

    needed = [d for d in dependencies if d.marker is None or d.marker.evaluate(there)]

    unmet = [
        str(d)
        for d in needed
        if (pin := pinned.get(canonicalize_name(d.name))) is None
        or not d.specifier.contains(pinned_version(pin))
    ]
    assert unmet == []


@pytest.mark.parametrize(
    ("python", "mindspore"), [("3.9", "2.7"), ("3.10", "2.10"), ("3.11", "2.10"), ("3.12", "2.10")]
)
def test_the_lock_gives_the_tested_mindspore_and_pydantic_2(python: str, mindspore: str) -> None:
    """Python 3.9 gets MindSpore 2.7, later ones 2.10, and every one pydantic 2 and numpy 1."""
    pinned = {name: pinned_version(pin) for name, pin in pins(python, "linux", "x86_64").items()}

    assert pinned["mindspore"].rsplit(".", 1)[0] == mindspore
    assert pinned["pydantic"].split(".")[0] == "2"
    assert pinned["numpy"].split(".")[0] == "1"


def test_moxing_is_never_a_dependency(dependencies: list[Requirement]) -> None:
    """The package index's moxing is not Huawei's, so nothing here asks for it."""
    assert "moxing" not in {canonicalize_name(d.name) for d in dependencies}
    assert not re.search(r"^moxing\b", read("constraints.txt"), re.MULTILINE)


def test_contributing_stays_short_and_has_its_four_recipes() -> None:
    """CONTRIBUTING.md fits on a screen or two and says how to add each kind of thing."""
    text = read("CONTRIBUTING.md")

    assert len(text.splitlines()) <= 60
    for thing in ("dataset", "model", "stage", "cluster"):
        assert f"## Add a {thing}\n" in text


def test_make_help_lists_every_target() -> None:
    """A target that people may call is declared phony, described, and named in the help."""
    makefile = read("Makefile")
    phony = re.search(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)
    described = set(re.findall(r"^([a-z]+):.*## ", makefile, re.MULTILINE))

    assert phony is not None
    assert described == set(phony[1].split())
    assert described == {
        "help",
        "venv",
        "run",
        "test",
        "check",
        "shape",
        "bench",
        "docs",
        "lock",
        "clean",
    }


@pytest.mark.parametrize("name", ["data/x", "outputs/a/x", "exports/x", ".venv/x", "a/x.part"])
def test_what_a_run_leaves_is_ignored_by_git(name: str, tmp_path: Path) -> None:
    """Whatever a run or a tool leaves in a clone stays out of git."""
    assert is_ignored(name, tmp_path)


@pytest.mark.parametrize("name", ["pipeline/data.py", "pipeline/data/x.py", "conf/data/x.yaml"])
def test_no_source_is_ignored_by_git(name: str, tmp_path: Path) -> None:
    """The ignore rules for what a run leaves touch no source file of a like name."""
    assert not is_ignored(name, tmp_path)


def is_ignored(name: str, folder: Path) -> bool:
    """Whether git leaves out that path, in an empty repository with our .gitignore."""
    (folder / ".gitignore").write_text(read(".gitignore"), encoding="utf-8")
    subprocess.run(["git", "init", "--quiet", str(folder)], check=True)
    asked = subprocess.run(["git", "-C", str(folder), "check-ignore", "--quiet", name], check=False)
    return asked.returncode == 0


def modules_with_examples() -> list[str]:
    """The modules of the package whose docstrings hold examples."""
    paths = sorted((ROOT / "pipeline").rglob("*.py"))
    with_examples = [p for p in paths if ">>> " in p.read_text(encoding="utf-8")]
    return [".".join(p.relative_to(ROOT).with_suffix("").parts) for p in with_examples]


@pytest.mark.parametrize("name", modules_with_examples())
def test_the_examples_in_docstrings_hold(name: str) -> None:
    """Each >>> example in a docstring gives what is written below it."""
    results = doctest.testmod(importlib.import_module(name))

    assert results.failed == 0
    assert results.attempted > 0


def test_the_shape_of_the_house_is_told() -> None:
    """What `make shape` prints is counted from the files as they are."""
    told = shape.measured()

    files = [path for path in (ROOT / "pipeline").rglob("*.py") if path.stat().st_size]
    assert told["files and lines"].startswith(f"{len(files)} files, ")
    assert told["public and documented"].startswith("100.0%")
    assert told["broad excepts"].startswith("1 (runner.py)")
