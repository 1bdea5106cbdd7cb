"""The shape of the house: imports run downwards, rooms stay small, one place catches everything."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
HOUSE = ROOT / "pipeline"

# From the roof to the ground. A room may import from its own floor and from those below it.
FLOORS = (
    ("bootstrap",),
    ("cli",),
    ("commands",),
    ("child",),
    ("starting",),
    ("configuration", "running"),
    ("installing", "stages"),
    ("gathering", "inputs", "report"),
    ("archives", "context", "stage", "training"),
    ("data", "hooks", "publish", "watching"),
    ("job", "manifest", "processes", "transfer"),
    ("storage",),
    ("messages",),
    ("disk",),
    ("errors",),
)
LEAVES = ("datasets", "models")
LEAVES_MAY_IMPORT = {"data", "errors"}
KNOW_MINDSPORE = {"training", *LEAVES}
LONGEST_FILE, LONGEST_FUNCTION = 250, 40

FILES = sorted(
    path for path in HOUSE.rglob("*.py") if path.name != "__init__.py" or path.stat().st_size
)


def room_of(path: Path) -> str:
    """The first name below pipeline/: a module, or the package it belongs to."""
    parts = path.relative_to(HOUSE).with_suffix("").parts
    return parts[0]


def imports_of(path: Path) -> Iterator[tuple[str, int]]:
    """Every dotted name the file imports, wherever in it, with its line."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module, node.lineno
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)


def rooms_imported(path: Path) -> Iterator[tuple[str, int]]:
    """The rooms of the house that the file imports from."""
    for name, line in imports_of(path):
        parts = name.split(".")
        is_room = len(parts) > 1 and parts[0] == "pipeline"
        if is_room and ((HOUSE / parts[1]).is_dir() or (HOUSE / f"{parts[1]}.py").is_file()):
            yield parts[1], line


def floor_of(room: str) -> int:
    """How far below the roof a room lies."""
    return next(number for number, rooms in enumerate(FLOORS) if room in rooms)


def test_every_room_has_a_floor() -> None:
    """A new module is placed in the picture before it can be built."""
    placed = {room for rooms in FLOORS for room in rooms} | set(LEAVES) | {"__init__"}

    built = {room_of(path) for path in FILES}

    assert built - placed == set()
    assert placed - built <= {"__init__"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(HOUSE).as_posix())
def test_imports_run_downwards(path: Path) -> None:
    """Nothing imports from a floor above its own, and nobody but a name in YAML reaches a leaf."""
    room = room_of(path)
    wrong = []
    for imported, line in rooms_imported(path):
        if imported == room or imported == "__init__":
            continue
        if room in LEAVES:
            is_fine = imported in LEAVES_MAY_IMPORT
        else:
            is_fine = imported not in LEAVES and floor_of(imported) >= floor_of(room)
        if not is_fine:
            wrong.append(f"line {line} imports {imported}")

    assert wrong == []


def circle_in(graph: dict[str, set[str]]) -> list[str]:
    """What is left of the graph when everything that leads to an end is taken away."""
    left = dict(graph)
    while free := [name for name, imported in left.items() if not imported & left.keys()]:
        for name in free:
            del left[name]
    return sorted(left)


def test_rooms_have_no_import_cycle() -> None:
    """Rooms of one floor may know each other, but not in a circle."""
    graph: dict[str, set[str]] = {room_of(path): set() for path in FILES}
    for path in FILES:
        graph[room_of(path)] |= {r for r, _ in rooms_imported(path)} - {room_of(path)}

    assert circle_in(graph) == []


def test_modules_have_no_import_cycle() -> None:
    """Within a room, too, imports run one way."""
    modules = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).replace(".__init__", ""): path
        for path in HOUSE.rglob("*.py")
    }
    graph = {}
    for name, path in modules.items():
        found = {imported for imported, _ in imports_of(path)} & modules.keys() - {name}
        # Whoever imports a module of a package means that one, not what the package shows.
        packages = {imported.rpartition(".")[0] for imported in found}
        graph[name] = found - packages

    assert circle_in(graph) == []


def test_stages_never_import_each_other() -> None:
    """A stage knows its products, not the stage that makes them."""
    stages = sorted((HOUSE / "stages").glob("[a-z]*.py"))

    wrong = [
        f"{path.name} line {line}: {name}"
        for path in stages
        for name, line in imports_of(path)
        if name.startswith("pipeline.stages")
    ]

    assert stages
    assert wrong == []


def test_mindspore_is_imported_in_its_rooms_only() -> None:
    """Everything else works, and is tested, without MindSpore."""
    wrong = [
        f"{path.relative_to(ROOT)} line {line}"
        for path in FILES
        if room_of(path) not in KNOW_MINDSPORE
        for name, line in imports_of(path)
        if name.split(".")[0] == "mindspore"
    ]

    assert wrong == []


def test_bootstrap_needs_the_standard_library_alone() -> None:
    """What says that a library is missing must not need one."""
    script = "import sys; import pipeline.bootstrap; print(*sys.modules)"

    done = subprocess.run(
        [
            sys.executable,
            "-I",
            "-S",
            "-c",
            f"import sys; sys.path.insert(0, {str(ROOT)!r}); {script}",
        ],
        capture_output=True,
        text=True,
        check=True,
    )

    assert "pipeline.bootstrap" in done.stdout.split()
    assert "pipeline.cli" not in done.stdout.split()


def test_plan_imports_neither_mindspore_nor_numpy(tmp_path: Path) -> None:
    """A plan is there at once, and before anything heavy is installed."""
    script = (
        "import json, sys; from pipeline.bootstrap import start; "
        f"places = [f'cluster.{{n}}_dir={tmp_path}/{{n}}' for n in ('output', 'data')]; "
        f"code = start(['plan', *places], {str(ROOT / 'run.py')!r}); "
        "print(json.dumps([code, sorted({'mindspore', 'numpy', 'obs'} & set(sys.modules))]))"
    )

    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert json.loads(done.stdout.splitlines()[-1]) == [0, []]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(HOUSE).as_posix())
def test_rooms_are_small(path: Path) -> None:
    """A file fits in one sitting, a function on one screen."""
    text = path.read_text(encoding="utf-8")
    functions = [
        node
        for node in ast.walk(ast.parse(text))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    ]
    long = [f.name for f in functions if (f.end_lineno or 0) - f.body[0].lineno >= LONGEST_FUNCTION]

    assert text.count("\n") <= LONGEST_FILE
    assert long == []


def test_one_place_catches_everything() -> None:
    """Broad excepts hide what went wrong; only the runner, which names the stage, has one."""
    broad = []
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ExceptHandler):
                name = node.type.id if isinstance(node.type, ast.Name) else ""
                if node.type is None or name in {"Exception", "BaseException"}:
                    broad.append(path.name)

    assert broad == ["runner.py"]
