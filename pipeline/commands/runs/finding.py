"""Which runs there are: in output folders on this machine, or below an exported place."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

from pydantic import ValidationError

from pipeline.commands.runs.record import UNREADABLE, Reader, Run
from pipeline.disk.clock import is_time
from pipeline.errors import ConfigError, Mistake
from pipeline.manifest import FILE_NAME, Manifest
from pipeline.messages.spelling import did_you_mean, first_of
from pipeline.running import runfolder

LATEST = "latest"
_ASIDE = re.compile(r"(?P<id>.+)\.old-\d+")
_MOST_CANDIDATES = 10


def in_folders(folders: Sequence[Path], *, is_export: bool = False) -> list[Run]:
    """All runs whose folders lie directly in these, newest first; other folders are passed over.

    Nobody works in an export, so that a run which says there that it is running is believed.
    """
    places = [place for folder in folders for place in _folders_in(folder)]
    found = [in_folder(place, is_export=is_export) for place in places]
    return newest_first([run for run in found if run is not None])


def in_folder(folder: Path, *, is_export: bool = False) -> Run | None:
    """The run that lies in this folder; None if none does."""
    path = folder / FILE_NAME
    try:
        run = from_bytes(folder.name, str(folder), path.read_bytes(), _reader(folder))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        run = damaged(folder.name, str(folder), f"{error}", _reader(folder))
    if run.status == UNREADABLE:
        return replace(run, when=_modified(path))
    is_dead = run.status == "running" and not is_export and not runfolder.is_owned(folder)
    return replace(run, status="interrupted") if is_dead else run


def from_bytes(name: str, place: str, content: bytes, read: Reader) -> Run:
    """The run with this manifest.json, in whatever state that is."""
    try:
        manifest = Manifest.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = "".join(f" at {part}" for part in first["loc"][:1])
        return damaged(name, place, f"{FILE_NAME} cannot be read{where}: {first['msg']}", read)
    for time in filter(None, (manifest.started, manifest.finished)):
        if not is_time(time):
            return damaged(name, place, f"{FILE_NAME} tells a time that is none: {time!r}", read)
    aside = _ASIDE.fullmatch(name)
    is_aside = aside is not None and aside["id"] == manifest.run_id
    when = manifest.finished or manifest.started
    return Run(name, place, manifest, manifest.status, when, read, is_aside)


def damaged(name: str, place: str, problem: str, read: Reader) -> Run:
    """A run of which nothing is known but that it is there, and what is wrong with it."""
    is_aside = _ASIDE.fullmatch(name) is not None
    return Run(name, place, None, UNREADABLE, "", read, is_aside, problem)


def newest_first(runs: Sequence[Run]) -> list[Run]:
    """The runs in the order that people look for them."""
    return sorted(runs, key=lambda run: run.when, reverse=True)


def find(word: str, runs: Sequence[Run]) -> Run:
    """The one run that is meant: by its id, a part of it that only one has, its folder, `latest`.

    Raises:
        ConfigError: none is meant, or several may be.
    """
    if "/" in word and (run := in_folder(Path(word).resolve())):
        return run
    current = [run for run in runs if not run.is_aside]
    if word == LATEST and current:
        return current[0]
    exact = [run for run in runs if run.id == word]
    partial = [run for run in current if word in run.id] or [r for r in runs if word in r.id]
    found = exact or [run for run in partial if not _is_repeat(run, partial)]
    if len(found) == 1:
        return found[0]
    raise ConfigError([_not_one(word, found, runs)])


def _is_repeat(run: Run, others: Sequence[Run]) -> bool:
    """Whether it repeats one of the others, whose id its own begins with."""
    return any(run.id.startswith(f"{other.id}.repeat-") for other in others)


def _not_one(word: str, found: Sequence[Run], runs: Sequence[Run]) -> Mistake:
    if not found:
        ids = [run.id for run in runs]
        question = did_you_mean(word, ids)
        there_is = "python run.py runs lists them" if ids else "there is none at all"
        remedy = "; ".join(filter(None, (question, there_is)))
        return Mistake(word, "there is no such run", "", remedy)
    is_same_id = len({run.id for run in found}) == 1
    names = [run.place if is_same_id else run.id for run in found]
    listed = first_of(names, _MOST_CANDIDATES)
    remedy = "write the folder of one" if is_same_id else "write more of its id"
    return Mistake(word, f"{len(found)} runs may be meant: {listed}", "", remedy)


def _folders_in(folder: Path) -> Iterator[Path]:
    if not folder.is_dir():
        return
    with os.scandir(folder) as entries:
        for entry in entries:
            if not entry.name.startswith(".") and entry.is_dir():
                yield Path(entry.path)


def _reader(folder: Path) -> Reader:
    return functools.partial(_read_below, folder)


def _read_below(folder: Path, name: str) -> bytes | None:
    try:
        return (folder / name).read_bytes()
    except OSError:
        return None


def _modified(path: Path) -> str:
    try:
        seconds = path.stat().st_mtime
    except OSError:
        return ""
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat().replace("+00:00", "Z")
