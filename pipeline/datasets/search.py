"""Where a split's files lie among what was fetched: at the root of a folder, or further down."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from pipeline.errors import DatasetError

_SHOWN_NAMES = 5

Found = TypeVar("Found")


def shallowest(
    folders: Sequence[Path], look: Callable[[Path], Found | None], *, wanted: str, advice: str
) -> Found:
    """What `look` finds at the shallowest place; of equals the first folder's, then by name.

    Raises:
        DatasetError: it finds nothing; the message names what was `wanted`, what there is instead,
            and the `advice`.
    """
    names: list[str] = []
    for folder in _downwards(folders, names):
        found = look(folder)
        if found is not None:
            return found
    places = ", ".join(str(folder) for folder in folders) or "no folder at all"
    shown = ", ".join(names[:_SHOWN_NAMES]) or "nothing"
    raise DatasetError(
        f"looked for {wanted} in and below {places}; found {len(names)} files: "
        f"{shown}{', …' if len(names) > _SHOWN_NAMES else ''}. {advice}"
    )


def _downwards(folders: Sequence[Path], names: list[str]) -> Iterator[Path]:
    """Every folder, level by level; the names of files that were passed are added to `names`."""
    level, seen = list(folders), set[Path]()
    while level:
        yield from level
        level = [child for folder in level for child in _open(folder, seen, names)]


def _open(folder: Path, seen: set[Path], names: list[str]) -> list[Path]:
    """The folders right below; files are noted, private folders and links that loop left out."""
    if not folder.is_dir() or folder.resolve() in seen:
        return []
    seen.add(folder.resolve())
    children = sorted(folder.iterdir())
    names += [child.name for child in children if not child.is_dir()]
    return [child for child in children if child.is_dir() and child.name[0] not in "._"]
