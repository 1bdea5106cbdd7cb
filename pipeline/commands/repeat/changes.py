"""What is other now than when a run was started, and what that may do to its result."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.manifest import Manifest

_BITS = "the last bits"
ANYTHING = "anything"
_HARDLY = "hardly anything"
_IMPORTANT = ("mindspore", "numpy")
_SHOWN = 4


@dataclass(frozen=True)
class Change:
    """One thing that is other now, for people; `effect` is what it may change of the result."""

    what: str
    then: str
    now: str
    effect: str


def since(start: Mapping[str, Any], manifest: Manifest, now: Mapping[str, Any]) -> list[Change]:
    """What differs between a recorded start and the present one; the manifest knows a part, too."""
    then = start or _of_manifest(manifest)
    return [*_of_code(then, now), *_of_packages(then, now), *_of_machine(then, now)]


def way_back(start: Mapping[str, Any], place: str) -> list[str]:
    """The commands that bring the code back as it was then; none where git did not know it."""
    project = start.get("project")
    commit = project.get("commit") if isinstance(project, Mapping) else None
    if not isinstance(project, Mapping) or not commit:
        return []
    commands = [f"git checkout {commit}"]
    diff = project.get("diff")
    if isinstance(diff, Mapping):
        commands.append(shlex.join(["git", "apply", f"{place}/{diff.get('name')}"]))
    return commands


def _of_manifest(manifest: Manifest) -> dict[str, Any]:
    """What a run without provenance.json tells of its start."""
    told = manifest.environment
    commit = str(told.get("git_commit") or "")
    project = {"commit": commit.rstrip("+"), "is_dirty": commit.endswith("+")} if commit else {}
    packages = [f"{name}=={told[name]}" for name in _IMPORTANT if told.get(name)]
    return {
        "project": project,
        "python": told.get("python"),
        "packages": packages,
        "sources": {
            name: {"sha256": sha256} for name, sha256 in manifest.sources.items() if sha256
        },
        "machine": {name: told[name] for name in ("machine", "cores") if name in told},
        "device": {"target": told.get("device"), "ranks": manifest.launch.get("ranks", 1)},
    }


def _of_code(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Change]:
    before, after = _part(then, "sources"), _part(now, "sources")
    for target in sorted({*before, *after}):
        was, found = _part(before, target).get("sha256"), _part(after, target).get("sha256")
        if was != found:
            yield Change(f"code of {target}", _short(was), _short(found), ANYTHING)
    before, after = _part(then, "project"), _part(now, "project")
    was, found = _commit(before), _commit(after)
    is_same_diff = "diff" not in before or _diff_of(before) == _diff_of(after)
    is_same = was == found and is_same_diff
    if before and not is_same:
        yield Change("commit of the project", was, found, ANYTHING)


def _of_packages(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Change]:
    if then.get("python") != now.get("python"):
        yield Change("Python", _short(then.get("python")), _short(now.get("python")), _HARDLY)
    before, after = _versions(then), _versions(now)
    # A run without provenance.json names some packages only.
    names = before if len(before) <= len(_IMPORTANT) else {**before, **after}
    different = [name for name in sorted(names) if before.get(name) != after.get(name)]
    for name in _IMPORTANT:
        if name in different:
            yield Change(name, _short(before.get(name)), _short(after.get(name)), _BITS)
    others = [name for name in different if name not in _IMPORTANT]
    if others:
        listed = ", ".join(others[:_SHOWN]) + (", …" if len(others) > _SHOWN else "")
        what = f"{len(others)} other packages" if len(others) > 1 else "another package"
        was = before.get(others[0]) if len(others) == 1 else ""
        found = after.get(others[0]) if len(others) == 1 else ""
        yield Change(f"{what} ({listed})", _short(was), _short(found), _HARDLY)


def _of_machine(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Change]:
    before, after = _part(then, "machine"), _part(now, "machine")
    for name in ("machine", "processor", "instructions", "cores", "usable_cores"):
        if name in before and before[name] != after.get(name):
            was, found = _only(before[name], after.get(name)), _only(after.get(name), before[name])
            yield Change(name.replace("_", " "), was, found, _BITS)
    before, after = _part(then, "device"), _part(now, "device")
    for name in ("target", "ranks"):
        if name in before and before[name] != after.get(name):
            yield Change(f"device {name}", _short(before[name]), _short(after.get(name)), _BITS)
    before, after = _part(before, "variables"), _part(after, "variables")
    for name in sorted({*before, *after}) if "device" in then and before else ():
        if before.get(name) != after.get(name):
            yield Change(name, _short(before.get(name)), _short(after.get(name)), _BITS)


def _part(holder: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = holder.get(name)
    return found if isinstance(found, Mapping) else {}


def _commit(project: Mapping[str, Any]) -> str:
    commit = str(project.get("commit") or project.get("problem") or "none")[:10]
    return f"{commit} with changes" if project.get("is_dirty") else commit


def _diff_of(project: Mapping[str, Any]) -> Any:
    return _part(project, "diff").get("sha256")


def _versions(start: Mapping[str, Any]) -> dict[str, str]:
    packages = start.get("packages")
    texts: Iterable[Any] = packages if isinstance(packages, list) else ()
    pairs = (str(text).partition("==") for text in texts)
    return {name: version for name, _, version in pairs}


def _only(value: Any, other: Any) -> str:
    """Of a list what the other has not."""
    if isinstance(value, list) and isinstance(other, list):
        return ", ".join(str(item) for item in value if item not in other) or "-"
    return _short(value)


def _short(value: Any) -> str:
    text = "-" if value is None else str(value)
    return text[:12] if len(text) == 64 else text
