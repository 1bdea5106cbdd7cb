"""A `_target_` with its arguments: checked early without importing it, built late.

The early check reads the source of the module that the name points to. It knows plain
functions and classes with an `__init__` of their own; of anything else (a name imported
from elsewhere, an inherited `__init__`, a compiled module) it says that it cannot tell,
and a short helper process imports the thing before the first byte is fetched.
"""

from __future__ import annotations

import ast
import importlib
import importlib.machinery
import inspect
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.spelling import nearest_or_all

PROBE_TIMEOUT_S = 120.0


@dataclass(frozen=True)
class Call:
    """How the house will call a component: its dotted name and what it gets."""

    target: str
    positional: int
    arguments: Mapping[str, Any]


@dataclass(frozen=True)
class Verdict:
    """What an early check found: a problem, nothing, or that it could not tell."""

    problem: str = ""
    remedy: str = ""
    is_certain: bool = True


def check(call: Call) -> Verdict:
    """Whether the target exists and takes these arguments, without importing anything."""
    module, _, name = call.target.rpartition(".")
    source_path, missing = _find_source(module)
    if missing:
        return Verdict(f"{call.target!r} cannot be imported: no module named {missing!r}", _WHERE)
    if source_path is None:
        return Verdict(is_certain=False)
    try:
        tree = ast.parse(source_path.read_bytes())
    except SyntaxError as error:
        return Verdict(f"{source_path} line {error.lineno}: {error.msg}", "mend the file")
    definitions = {node.name: node for node in tree.body if isinstance(node, _DEFINITIONS)}
    if name not in definitions:
        return _missing_name(call.target, name, tree, source_path)
    return _check_definition(call, definitions[name])


def probe(calls: Mapping[str, Call], environment: Mapping[str, str]) -> dict[str, Verdict]:
    """The same check by importing, in a process of its own with these variables set."""
    if not calls:
        return {}
    request = json.dumps(
        {key: [c.target, c.positional, [*c.arguments]] for key, c in calls.items()}
    )
    try:
        answer = subprocess.run(
            [sys.executable, "-c", "from pipeline import component; component.answer_probe()"],
            input=request,
            env={**environment, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            capture_output=True,
            encoding="utf-8",
            timeout=PROBE_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        slow = Verdict(
            f"importing it took over {PROBE_TIMEOUT_S:.0f} s", "import less at module level"
        )
        return dict.fromkeys(calls, slow)
    lines = answer.stdout.splitlines()
    if answer.returncode != 0 or not lines:
        last = (answer.stderr.strip().splitlines() or ["no message"])[-1]
        crashed = Verdict(
            f"importing it ended the interpreter: {last}", "import it by hand and see"
        )
        return dict.fromkeys(calls, crashed)
    return {key: Verdict(*found) for key, found in json.loads(lines[-1]).items()}


def answer_probe() -> None:
    """Imports what standard input names and writes one line of JSON: what is wrong with each."""
    request = json.loads(sys.stdin.read())
    verdicts = {key: _probe_one(*wanted) for key, wanted in request.items()}
    sys.stdout.write("\n" + json.dumps(verdicts) + "\n")


def build(target: str, *positional: Any, **arguments: Any) -> Any:
    """Imports the target and calls it."""
    module, _, name = target.rpartition(".")
    return getattr(importlib.import_module(module), name)(*positional, **arguments)


def source_of(target: str) -> Path | None:
    """The file that defines the target's module; None where it is not Python source."""
    return _find_source(target.rpartition(".")[0])[0]


_DEFINITIONS = (ast.FunctionDef, ast.ClassDef)
_WHERE = (
    "check the spelling; code of your own is found beside run.py, beside a --config-dir folder "
    "or on PYTHONPATH"
)


def _find_source(module: str) -> tuple[Path | None, str]:
    """The module's source file, and the first part of its name that does not exist."""
    locations: Iterable[str] | None = None
    parts = module.split(".")
    spec = None
    for depth in range(1, len(parts) + 1):
        name = ".".join(parts[:depth])
        # find_spec of importlib.util would import the parents; the finder itself does not.
        spec = importlib.machinery.PathFinder.find_spec(name, locations)  # type: ignore[arg-type]
        if spec is None:
            if depth == 1 and name in sys.builtin_module_names:
                return None, ""
            return None, name
        locations = spec.submodule_search_locations
        if locations is None and depth < len(parts):
            return None, ".".join(parts[: depth + 1])
    origin = spec.origin if spec else None
    return (Path(origin) if origin and origin.endswith(".py") else None), ""


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
    return Verdict(problem, nearest_or_all(name, defined))


def _check_definition(call: Call, node: ast.FunctionDef | ast.ClassDef) -> Verdict:
    if node.decorator_list:
        return Verdict(is_certain=False)
    if isinstance(node, ast.FunctionDef):
        return _bind(_signature(node), call.target, call.positional, call.arguments)
    own = [n for n in node.body if isinstance(n, ast.FunctionDef) and n.name == "__init__"]
    if not own or own[0].decorator_list or node.keywords:
        return Verdict(is_certain=False)
    return _bind(_signature(own[0], skip=1), call.target, call.positional, call.arguments)


def _signature(node: ast.FunctionDef, skip: int = 0) -> inspect.Signature:
    kinds, spec = inspect.Parameter, node.args
    positional = [*spec.posonlyargs, *spec.args]
    required, only = len(positional) - len(spec.defaults), len(spec.posonlyargs)
    found = [
        kinds(
            argument.arg,
            kinds.POSITIONAL_ONLY if i < only else kinds.POSITIONAL_OR_KEYWORD,
            default=kinds.empty if i < required else None,
        )
        for i, argument in enumerate(positional)
    ][skip:]
    if spec.vararg:
        found.append(kinds(spec.vararg.arg, kinds.VAR_POSITIONAL))
    for argument, default in zip(spec.kwonlyargs, spec.kw_defaults):
        value = kinds.empty if default is None else None
        found.append(kinds(argument.arg, kinds.KEYWORD_ONLY, default=value))
    if spec.kwarg:
        found.append(kinds(spec.kwarg.arg, kinds.VAR_KEYWORD))
    return inspect.Signature(found)


def _bind(
    signature: inspect.Signature, target: str, positional: int, names: Iterable[str]
) -> Verdict:
    try:
        signature.bind(*[None] * positional, **dict.fromkeys(names))
    except TypeError as error:
        takes = ", ".join(str(p) for p in list(signature.parameters.values())[positional:])
        return Verdict(f"{target} does not fit: {error}", f"its arguments are ({takes})")
    return Verdict()


def _probe_one(target: str, positional: int, names: list[str]) -> tuple[str, str]:
    module, _, name = target.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), name)
        signature = inspect.signature(found)
    except (ImportError, AttributeError, SyntaxError) as error:
        return f"{target!r} cannot be imported: {error}", _WHERE
    except (ValueError, TypeError):
        # Compiled callables have no signature to look at; the call itself will tell.
        return ("", "") if callable(found) else (f"{target!r} cannot be called", "name a class")
    verdict = _bind(signature, target, positional, names)
    return verdict.problem, verdict.remedy
