"""What a wheel file says of itself, and which wheels are needed for what.

Needs `packaging`, which every bundle has among its wheels.
"""

from __future__ import annotations

import email
import platform
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.tags import Tag, sys_tags
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from pipeline.errors import DependencyError
from pipeline.installing.installed import FROM_THE_IMAGE, bundle_command, normalised


@dataclass(frozen=True)
class Wheel:
    """One wheel file: what it holds, where it runs, what it needs."""

    path: Path
    name: str
    version: str
    tags: frozenset[Tag]
    python: SpecifierSet
    requires: tuple[Requirement, ...]

    def fits(self, tags: Sequence[Tag], python: str) -> bool:
        """Whether a Python of this full version, with these tags, can use it."""
        return not self.tags.isdisjoint(tags) and self.python.contains(python, prereleases=True)

    def needs(self, environment: Mapping[str, str]) -> list[Requirement]:
        """What it needs there, without what the image brings."""
        there = {"extra": "", **environment}
        return [
            requirement
            for requirement in self.requires
            if is_ours(requirement)
            and (requirement.marker is None or requirement.marker.evaluate(there))
        ]


def is_ours(requirement: Requirement) -> bool:
    """Whether it is for us to bring; MindSpore, numpy and moxing come with the image."""
    return canonicalize_name(requirement.name) not in FROM_THE_IMAGE


def read(path: Path) -> Wheel:
    """The wheel in this file.

    Raises:
        DependencyError: the file is damaged, or is no wheel.
    """
    try:
        name, version, _, tags = parse_wheel_filename(path.name)
        with zipfile.ZipFile(path) as archive:
            inside = next(n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
            metadata = email.message_from_bytes(archive.read(inside))
    except (zipfile.BadZipFile, InvalidWheelFilename, StopIteration) as error:
        raise DependencyError(
            f"{path} is damaged, or is no wheel ({error}); expected a file as pip downloads it: "
            f"copy the bundle here again, in binary form."
        ) from error
    requires = tuple(Requirement(text) for text in metadata.get_all("Requires-Dist", []))
    python = SpecifierSet(metadata.get("Requires-Python", ""))
    return Wheel(path, name, str(version), tags, python, requires)


def closure(
    wanted: Iterable[Requirement],
    get: Callable[[Sequence[Requirement]], Sequence[Wheel]],
    environment: Mapping[str, str],
) -> list[Wheel]:
    """All wheels that are needed for what is wanted, and for what that needs in turn.

    `get` is asked level by level, for each distribution once, and may give fewer than it
    was asked for, where something is there already.
    """
    wheels: list[Wheel] = []
    asked: set[str] = set()
    level = list(wanted)
    while level:
        new = {canonicalize_name(r.name): r for r in level}
        new = {name: requirement for name, requirement in new.items() if name not in asked}
        asked |= set(new)
        found = get(list(new.values())) if new else []
        wheels += found
        level = [requirement for wheel in found for requirement in wheel.needs(environment)]
    return wheels


def choose(paths: Sequence[Path], texts: Iterable[str], versions: Mapping[str, str]) -> list[Wheel]:
    """What to install here for these requirements: what they need in all, and `versions` lacks.

    Raises:
        DependencyError: a wheel is missing, or made for another Python or machine.
    """
    tags, python = list(sys_tags()), platform.python_version()

    def get(requirements: Sequence[Requirement]) -> list[Wheel]:
        missing = [r for r in requirements if not _is_met(r, versions)]
        return [_fitting(requirement, paths, tags, python) for requirement in missing]

    return closure(map(Requirement, texts), get, {})


def _is_met(requirement: Requirement, versions: Mapping[str, str]) -> bool:
    found = versions.get(canonicalize_name(requirement.name))
    try:
        return found is not None and requirement.specifier.contains(Version(found), True)
    except InvalidVersion:
        return False


def _fitting(
    requirement: Requirement, paths: Sequence[Path], tags: Sequence[Tag], python: str
) -> Wheel:
    name = canonicalize_name(requirement.name)
    there = [read(path) for path in paths if normalised(path.name.split("-")[0]) == name]
    right = [w for w in there if requirement.specifier.contains(w.version, prereleases=True)]
    fitting = [wheel for wheel in right if wheel.fits(tags, python)]
    if fitting:
        return max(fitting, key=lambda wheel: Version(wheel.version))
    here = f"this Python {python} on {platform.machine()}"
    if right:
        problem = f"{right[0].path.name} in wheels/ does not fit {here}"
    else:
        found = f", only {', '.join(wheel.path.name for wheel in there)}" if there else ""
        problem = f"wheels/ has no {requirement} for {here}{found}"
    raise DependencyError(
        f"{problem}; make the bundle for it with `{bundle_command()}` in a clone on a machine "
        f"with internet"
    )
