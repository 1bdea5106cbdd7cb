"""The Python files that a script is made of: itself, and what it imports from beside it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

# So many tell one program from another; whoever imports more has a project, not a script.
_MOST = 500


def files_of(script: Path) -> list[Path]:
    """The script, then every file that it imports from its own folder, directly or not.

    What cannot be read or parsed counts as it is, and imports nothing; the program will say so.
    """
    folder, waiting = script.parent, [script]
    found: list[Path] = []
    while waiting and len(found) < _MOST:
        path = waiting.pop()
        if path in found:
            continue
        found.append(path)
        for name in _imported_by(path, folder):
            waiting += _files_at(folder, name)
    return [script, *sorted(found[1:])]


def _imported_by(path: Path, folder: Path) -> Iterator[str]:
    """The dotted names that the file imports, as seen from the script's folder."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return
    package = path.parent.relative_to(folder).parts
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            start = ".".join([*above, *filter(None, [node.module])])
            yield start
            yield from (f"{start}.{alias.name}".strip(".") for alias in node.names)


def _files_at(folder: Path, name: str) -> list[Path]:
    """The module of that name, and the packages that it lies in."""
    found, place = [], folder
    for part in name.split("."):
        place = place / part
        candidates = (place.with_suffix(".py"), place / "__init__.py")
        found += [path for path in candidates if part and path.is_file()]
    return found
