"""Prints how the house is built, in numbers: python -m tests.shape (make shape)."""

from __future__ import annotations

import ast
import re
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parent.parent
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True)
class Module:
    """One file, read and parsed."""

    path: Path
    text: str
    tree: ast.Module


def modules(folder: Path) -> list[Module]:
    """Every Python file below the folder."""
    found = []
    for path in sorted(folder.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        found.append(Module(path, text, ast.parse(text)))
    return found


def functions(house: Sequence[Module]) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function and method, inner ones too."""
    for module in house:
        yield from (node for node in ast.walk(module.tree) if isinstance(node, _FUNCTIONS))


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of the body, its docstring left out."""
    body = function.body
    has_docstring = ast.get_docstring(function) is not None
    first = body[1] if has_docstring and len(body) > 1 else body[0]
    return 0 if has_docstring and len(body) == 1 else (function.end_lineno or 0) - first.lineno + 1


def public(house: Sequence[Module]) -> Iterator[ast.AST]:
    """Modules, and public classes, functions and methods of public classes."""
    for module in house:
        yield module.tree
        yield from _public_below(module.tree)


def _public_below(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (*_FUNCTIONS, ast.ClassDef)) and not child.name.startswith("_"):
            yield child
            if isinstance(child, ast.ClassDef):
                yield from _public_below(child)


def is_annotated(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether every parameter and the result have a type."""
    arguments = function.args
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    named += [extra for extra in (arguments.vararg, arguments.kwarg) if extra]
    typed = [a for a in named if a.annotation is not None or a.arg in ("self", "cls")]
    return len(typed) == len(named) and function.returns is not None


def raised(house: Sequence[Module]) -> list[str]:
    """The name of what each `raise` with something to raise makes."""
    names = []
    for module in house:
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
                names.append(ast.unparse(node.exc.func).rpartition(".")[2])
    return names


def own_errors(house: Sequence[Module]) -> set[str]:
    """The names of all errors that come from MindRunError."""
    parents = {
        node.name: {ast.unparse(base).rpartition(".")[2] for base in node.bases}
        for module in house
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ClassDef)
    }
    ours = {"MindRunError"}
    while new := {name for name, bases in parents.items() if bases & ours} - ours:
        ours |= new
    return ours


def makers_of(errors: set[str], house: Sequence[Module]) -> set[str]:
    """The names of all functions that say by their type that they give one of these errors."""
    return {
        node.name
        for module in house
        for node in ast.walk(module.tree)
        if isinstance(node, _FUNCTIONS) and node.returns and ast.unparse(node.returns) in errors
    }


def broad_excepts(house: Sequence[Module]) -> list[str]:
    """The files that catch everything, once for each place."""
    found = []
    for module in house:
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ExceptHandler):
                kind = ast.unparse(node.type) if node.type else "BaseException"
                found += [module.path.name] * (kind in ("Exception", "BaseException"))
    return found


def count(house: Sequence[Module], pattern: str) -> int:
    """How many lines match."""
    return sum(len(re.findall(pattern, module.text, re.M)) for module in house)


def measured() -> dict[str, str]:
    """What there is to say, by name."""
    house, tests = modules(ROOT / "pipeline"), modules(ROOT / "tests")
    sizes = sorted((m.text.count("\n"), m.path.name) for m in house if m.text)
    bodies = sorted((body_lines(f), f.name) for f in functions(house))
    names = list(public(house))
    typed = [node for node in names if isinstance(node, _FUNCTIONS)]
    documented = sum(ast.get_docstring(node) is not None for node in names)  # type: ignore[arg-type]
    raises, ours = raised(house), own_errors(house)
    ours |= makers_of(ours, house)
    lengths = [lines for lines, _ in bodies]
    ninetieth = statistics.quantiles(lengths, n=10)[-1]
    yamls = list((ROOT / "conf").rglob("*.yaml"))
    return {
        "files and lines": f"{len(sizes)} files, {sum(lines for lines, _ in sizes):,} lines",
        "file": f"median {statistics.median(n for n, _ in sizes):.0f}, "
        f"longest {sizes[-1][0]} ({sizes[-1][1]}); at most 250",
        "function body": f"median {statistics.median(lengths):.0f}, 90 % {ninetieth:.0f}, "
        f"longest {bodies[-1][0]} ({bodies[-1][1]}); aims 8, 25, 40",
        "public and documented": f"{documented / len(names):.1%} of {len(names)}",
        "public and annotated": f"{sum(map(is_annotated, typed)) / len(typed):.1%} of {len(typed)}",
        "own errors among raises": f"{sum(name in ours for name in raises) / len(raises):.0%} of "
        f"{len(raises)}; aim 80 %",
        "broad excepts": f"{len(broad_excepts(house))} ({', '.join(broad_excepts(house))}); aim 1",
        "prints": f"{count(house, r'^ *print[(]')}",
        "to be done": f"{count(house, r'# *(TODO|FIXME|XXX)')}",
        "lint ignores": f"{count(house, r'# noqa|# type: ignore')}",
        "property tests": f"{count(tests, r'^@given')}; aim 6",
        "configuration files": f"{len(yamls)}, each composed by a test",
        "tests": f"{count(tests, r'^def test_')} functions, "
        f"{sum(m.text.count(chr(10)) for m in tests):,} lines",
    }


def main() -> None:
    """Shows all of it."""
    table = Table("what", "how much", box=None, header_style="bold")
    for name, text in measured().items():
        table.add_row(name, text)
    Console().print(table)


if __name__ == "__main__":
    main()
