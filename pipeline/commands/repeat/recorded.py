"""The job of a past run, made again of what its folder holds."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.commands.repeat.options import COMMAND, PLACES
from pipeline.commands.runs import Run, differences
from pipeline.errors import ConfigError, Mistake
from pipeline.messages.masking import MASK, masked
from pipeline.messages.spelling import nearest_or_all
from pipeline.running import provenance


@dataclass
class Recorded:
    """The composed mapping, ready to be a job again; what of provenance is known; what to tell."""

    mapping: dict[str, Any]
    start: Mapping[str, Any]
    notes: list[str] = field(default_factory=list)


def take(run: Run, typed: Mapping[str, str], *, root: Path, secrets: Iterable[str]) -> Recorded:
    """The job as it was, with the places typed; where a secret is missing one of `secrets` fits.

    Raises:
        ConfigError: the run cannot be repeated: with all that keeps it from that.
    """
    _require_complete(run)
    found = Recorded(copy.deepcopy(dict(differences.config_of(run))), _last_start(run))
    if not found.mapping:
        problem = f"{run.place}/config.yaml cannot be read"
        raise ConfigError([Mistake(run.id, problem, "", "only a run with its job can be repeated")])
    _relocate(found, root)
    _settle_start(found)
    mistakes = [*_apply(found.mapping, typed), *_fill(found.mapping, secrets)]
    if mistakes:
        raise ConfigError(mistakes)
    return found


def code_folders(start: Mapping[str, Any]) -> Iterator[Path]:
    """The folders from which the run's own code was imported, as far as they are there."""
    sources = start.get("sources")
    for target, source in sources.items() if isinstance(sources, Mapping) else ():
        path = Path(str(source.get("path") or "")) if isinstance(source, Mapping) else Path()
        above = target.count(".") - (0 if path.name == "__init__.py" else 1)
        if path.is_file() and 0 <= above < len(path.parents):
            yield path.parents[above]


def _require_complete(run: Run) -> None:
    if run.manifest is None:
        raise ConfigError([Mistake(run.id, run.problem, "", "its record is needed to compare")])
    if run.status != "complete":
        remedy = f"finish it first: {run.manifest.command}" if run.manifest.command else ""
        problem = f"this run is {run.status}; only a complete one can be compared with"
        raise ConfigError([Mistake(run.id, problem, "", remedy)])


def _last_start(run: Run) -> Mapping[str, Any]:
    record = provenance.parsed(run.read(provenance.FILE_NAME) or b"")
    starts = record["starts"] if record else []
    return starts[-1] if starts else {}


def _relocate(found: Recorded, root: Path) -> None:
    """Paths in the project's folder of then are those in the present one."""
    project = found.start.get("project")
    then = str(project.get("folder") or "") if isinstance(project, Mapping) else ""
    if not then or then == str(root) or Path(then).is_dir():
        return
    moved = [0]

    def move(value: Any) -> Any:
        if isinstance(value, str) and (value == then or value.startswith(f"{then}/")):
            moved[0] += 1
            return f"{root}{value[len(then) :]}"
        return value

    found.mapping = _mapped(found.mapping, move)
    if moved[0]:
        found.notes.append(f"paths below {then} are taken below {root}")


def _settle_start(found: Recorded) -> None:
    """What `latest` or the launch meant then is named as what it was."""
    mode, begun = found.mapping.get("mode"), found.start.get("starts_from")
    if not isinstance(mode, dict) or not isinstance(begun, Mapping):
        return
    place = begun.get("path") or begun.get("url")
    key = "resume" if mode.get("resume") else "checkpoint"
    if place and mode.get(key) in (None, "latest", "launch"):
        mode[key] = place
        found.notes.append(f"mode.{key} is {place}, as it was then")


def _apply(mapping: dict[str, Any], typed: Mapping[str, str]) -> list[Mistake]:
    allowed = {*PLACES, *(key for key, value in differences.flat(mapping) if _is_masked(value))}
    mistakes = []
    for key, value in typed.items():
        if key in allowed:
            _set(mapping, key.split("."), value)
        else:
            problem = f"a {COMMAND} takes the job as it was"
            remedy = nearest_or_all(key, allowed)
            mistakes.append(Mistake(key, problem, "the command line", remedy))
    return mistakes


def _fill(mapping: dict[str, Any], secrets: Iterable[str]) -> list[Mistake]:
    """Each text that was masked is one again that masks to it."""
    known, mistakes = list(secrets), []
    for key, value in list(differences.flat(mapping)):
        if not _is_masked(value):
            continue
        fitting = {secret for secret in known if secret != value and masked(secret) == value}
        if len(fitting) == 1 and value != MASK:
            _set(mapping, key.split("."), fitting.pop())
        else:
            problem = f"{value}: what stood for {MASK} is not recorded, and nothing here fits"
            remedy = f"write {key}=VALUE behind {COMMAND}, or set the variable that held it"
            mistakes.append(Mistake(key, problem, "", remedy))
    return mistakes


def _is_masked(value: Any) -> bool:
    return isinstance(value, str) and MASK in value


def _set(holder: Any, path: list[str], value: str) -> None:
    for name in path[:-1]:
        holder = holder[int(name)] if isinstance(holder, list) else holder.setdefault(name, {})
    name = path[-1]
    if isinstance(holder, list):
        holder[int(name)] = value
    else:
        holder[name] = value


def _mapped(value: Any, change: Callable[[Any], Any]) -> Any:
    if isinstance(value, dict):
        return {key: _mapped(item, change) for key, item in value.items()}
    if isinstance(value, list):
        return [_mapped(item, change) for item in value]
    return change(value)
