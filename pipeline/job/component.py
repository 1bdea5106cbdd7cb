"""A `_target_` with its arguments: checked early without importing it, built late.

The early check reads the source of the module that the name points to. It knows plain
functions and classes with an `__init__` of their own; of anything else (a name imported
from elsewhere, an inherited `__init__`, a compiled module) it says that it cannot tell,
and a short helper process (probe.py) imports the thing before the first byte is fetched.
"""

from __future__ import annotations

import ast
import importlib
import importlib.machinery
import importlib.util
import inspect
import sys
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.job.calls import Call, Problem, bind
from pipeline.messages.spelling import nearest_or_all

# What importing a module of somebody else's may end with.
IMPORT_FAILURES = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    ImportError,
    LookupError,
    NameError,
    OSError,
    RuntimeError,
    SyntaxError,
    SystemExit,
    TypeError,
    ValueError,
)


@dataclass(frozen=True)
class Verdict:
    """What an early check found: problems, none, or that it could not tell."""

    problems: tuple[Problem, ...] = ()
    is_certain: bool = True


def check(call: Call) -> Verdict:
    """Whether the target exists and takes these arguments, without importing anything."""
    module, _, name = call.target.rpartition(".")
    if _is_standard_library(module.partition(".")[0]):
        text = f"{call.target!r} belongs to Python's standard library"
        return _wrong(text, "expected a class or function that makes datasets or networks")
    source_path, missing = _find_source(module)
    if missing:
        return _wrong(f"{call.target!r} cannot be imported: no module named {missing!r}", WHERE)
    if source_path is None:
        return Verdict(is_certain=False)
    try:
        tree = ast.parse(source_path.read_bytes())
    except (SyntaxError, ValueError) as error:
        line = f" line {error.lineno}" if isinstance(error, SyntaxError) else ""
        message = error.msg if isinstance(error, SyntaxError) else error
        return _wrong(f"{source_path}{line}: {message}", "mend the file")
    definitions = {node.name: node for node in tree.body if isinstance(node, _DEFINITIONS)}
    if name not in definitions:
        return _missing_name(call.target, name, tree, source_path)
    return _check_definition(call, definitions[name])


def find_code_in(folders: Sequence[Path]) -> None:
    """Modules in these folders can be named in YAML, from now on and in helper processes."""
    for folder in map(str, folders):
        if folder not in sys.path:
            # At the end: a module of the user's own must not hide one of ours or of a library.
            sys.path.append(folder)


def build(target: str, *positional: Any, **arguments: Any) -> Any:
    """Imports the target and calls it."""
    return load(target)(*positional, **arguments)


def load(target: str) -> Any:
    """What the dotted name points to, its module imported."""
    module, _, name = target.rpartition(".")
    return getattr(importlib.import_module(module), name)


def source_of(target: str) -> Path | None:
    """The file that defines the target's module; None where it is not Python source."""
    return _find_source(target.rpartition(".")[0])[0]


_DEFINITIONS = (ast.FunctionDef, ast.ClassDef)
WHERE = (
    "check the spelling; code of your own is found beside run.py, in a --config-dir folder or "
    "beside it, and on PYTHONPATH"
)


def _find_source(module: str) -> tuple[Path | None, str]:
    """The module's source file, and the first part of its name that does not exist."""
    locations: list[str] | None = None
    parts = module.split(".")
    spec = None
    for depth in range(1, len(parts) + 1):
        name = ".".join(parts[:depth])
        try:
            spec = _find_below(name, locations) if locations is not None else _find_top(name)
        # A folder without __init__.py asks for its parent, which is not imported.
        except KeyError:
            folders = [Path(place, parts[depth - 1]) for place in locations or ()]
            locations, spec = [str(folder) for folder in folders if folder.is_dir()], None
            continue
        if spec is None:
            return None, name
        locations = spec.submodule_search_locations
        if locations is None and depth < len(parts):
            return None, ".".join(parts[: depth + 1])
    origin = spec.origin if spec else None
    return (Path(origin) if origin and origin.endswith(".py") else None), ""


def _find_below(name: str, locations: list[str]) -> importlib.machinery.ModuleSpec | None:
    # find_spec of importlib.util would import the parents; the finder itself does not.
    return importlib.machinery.PathFinder.find_spec(name, locations)


def _find_top(name: str) -> importlib.machinery.ModuleSpec | None:
    try:
        return importlib.util.find_spec(name)
    # A module without a spec, such as __main__.
    except ValueError:
        return None


def _is_standard_library(name: str) -> bool:
    if name in sys.builtin_module_names:
        return True
    spec = _find_top(name)
    if spec is None or spec.origin in (None, "frozen"):
        return spec is not None and spec.origin == "frozen"
    folder = Path(str(spec.origin)).parent
    library = Path(sysconfig.get_paths()["stdlib"])
    return folder in (library, library / name)


def _wrong(text: str, remedy: str) -> Verdict:
    return Verdict((Problem(text, remedy),))


def _missing_name(target: str, name: str, tree: ast.Module, source_path: Path) -> Verdict:
    bound = {
        n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
    }
    imported = {
        alias.asname or alias.name.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for alias in node.names
    }
    nested = {node.name for node in ast.walk(tree) if isinstance(node, _DEFINITIONS)}
    if name in bound | imported | nested or "*" in imported or "__getattr__" in nested:
        return Verdict(is_certain=False)
    defined = [n.name for n in tree.body if isinstance(n, _DEFINITIONS) and n.name[0] != "_"]
    problem = f"{target!r} cannot be imported: {source_path.name} defines no {name!r}"
    return _wrong(problem, nearest_or_all(name, defined))


def _check_definition(call: Call, node: ast.FunctionDef | ast.ClassDef) -> Verdict:
    if node.decorator_list:
        return Verdict(is_certain=False)
    if isinstance(node, ast.FunctionDef):
        return Verdict(bind(_signature(node), call))
    own = [n for n in node.body if isinstance(n, ast.FunctionDef) and n.name == "__init__"]
    if not own or own[0].decorator_list or node.keywords:
        return Verdict(is_certain=False)
    return Verdict(bind(_signature(own[0], skip=1), call))


def _signature(node: ast.FunctionDef, skip: int = 0) -> inspect.Signature:
    kinds, spec = inspect.Parameter, node.args
    positional = [*spec.posonlyargs, *spec.args]
    required, only = len(positional) - len(spec.defaults), len(spec.posonlyargs)
    found = [
        _parameter(
            argument,
            kinds.POSITIONAL_ONLY if i < only else kinds.POSITIONAL_OR_KEYWORD,
            kinds.empty if i < required else None,
        )
        for i, argument in enumerate(positional)
    ][skip:]
    if spec.vararg:
        found.append(kinds(spec.vararg.arg, kinds.VAR_POSITIONAL))
    for argument, default in zip(spec.kwonlyargs, spec.kw_defaults):
        value = kinds.empty if default is None else None
        found.append(_parameter(argument, kinds.KEYWORD_ONLY, value))
    if spec.kwarg:
        found.append(kinds(spec.kwarg.arg, kinds.VAR_KEYWORD))
    return inspect.Signature(found)


def _parameter(argument: ast.arg, kind: Any, default: Any) -> inspect.Parameter:
    written = ast.unparse(argument.annotation) if argument.annotation else ""
    return inspect.Parameter(argument.arg, kind, default=default, annotation=written)
