"""provenance.json: written when a run starts, added to where it goes on under other conditions."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pipeline.context import Context
from pipeline.disk.clock import now_iso
from pipeline.disk.files import write_atomically, write_json
from pipeline.disk.plain import plain
from pipeline.errors import Mistake
from pipeline.inputs import pretrained
from pipeline.messages.masking import mask, mask_url, masked
from pipeline.running.provenance import facts, repository
from pipeline.running.provenance.repository import Repository

log = logging.getLogger(__name__)

FILE_NAME = "provenance.json"
_START = "provenance"


def begin(context: Context) -> None:
    """The run folder tells where this start comes from, once for each attempt and condition.

    Where it goes on as it began, nothing is written. What cannot be written is only warned of.
    """
    record = read(context.folder) or {"run_id": context.job.run_id, "starts": [], "inputs": []}
    earlier = record["starts"]
    repositories = dict(_repositories(context, number=len(earlier) + 1))
    start = _start(context, repositories)
    if earlier and _same(earlier[-1]) == _same(start):
        return
    record = {**record, "attempt": context.manifest.attempt, "starts": [*earlier, start]}
    try:
        for name, found in repositories.items():
            if found.diff:
                write_atomically(context.folder / name, _readable(found.diff))
        write_json(context.folder / FILE_NAME, record)
    except OSError as error:
        log.warning("%s could not be written: %s", FILE_NAME, error)


def now(context: Context) -> dict[str, Any]:
    """What `begin` would write of a start at this moment; writes nothing."""
    return _start(context, dict(_repositories(context, number=1)))


def add_inputs(folder: Path, inputs: Sequence[Mapping[str, Any]]) -> None:
    """The record names the data that the run works on, too."""
    record = read(folder)
    if record is None or record["inputs"] == list(inputs):
        return
    try:
        write_json(folder / FILE_NAME, {**record, "inputs": list(inputs)})
    except OSError as error:
        log.warning("%s could not be written: %s", FILE_NAME, error)


def read(folder: Path) -> dict[str, Any] | None:
    """The record in a run folder; None where there is none that can be read."""
    try:
        return parsed((folder / FILE_NAME).read_bytes())
    except OSError:
        return None


def parsed(content: bytes) -> dict[str, Any] | None:
    """The record in these bytes; None if they hold none."""
    try:
        found = json.loads(content)
    except ValueError:
        return None
    is_record = isinstance(found, dict) and all(
        isinstance(found.get(name), list) and all(isinstance(item, dict) for item in found[name])
        for name in ("starts", "inputs")
    )
    return found if is_record else None


def _start(context: Context, repositories: Mapping[str, Repository]) -> dict[str, Any]:
    job = context.job
    told = [_told(name, found) for name, found in repositories.items()]
    start = {
        "time": now_iso(),
        "command": context.manifest.command,
        "project": told[0],
        "code": told[1:],
        **facts.of_process(),
        "machine": facts.of_machine(),
        "device": facts.of_device(context),
        "settings": _settings(job.launched.settings),
        "seed": job.seed,
        "digest": job.digest,
        "sources": facts.sources(job),
        "starts_from": _starts_from(context),
    }
    found: dict[str, Any] = masked(plain(start))
    return found


def _settings(told: Sequence[Mapping[str, Any]] | None) -> list[dict[str, Any]] | None:
    """What was set, by whom; None where the job was made of a record, as a repeat is."""
    return None if told is None else [_setting(one) for one in told]


def _setting(told: Mapping[str, Any]) -> dict[str, Any]:
    """One of them; a value before it is hidden where its key's name says secret."""
    name = str(told["key"]).rpartition(".")[2]
    return {
        key: masked(plain(value), name if key == "default" else "") for key, value in told.items()
    }


def _repositories(context: Context, *, number: int) -> Iterator[tuple[str, Repository]]:
    """The project and then other code of the job, by the name of the file for its difference."""
    job, nth = context.job, f"-{number}" if number > 1 else ""
    yield f"{_START}{nth}.diff", repository.look(job.root, facts.code_inside(job))
    for i, (folder, files) in enumerate(facts.code_outside(job), 1):
        yield f"{_START}{nth}-code-{i}.diff", repository.look(folder, files)


def _told(diff_name: str, found: Repository) -> dict[str, Any]:
    if found.problem:
        return {"folder": found.folder, "problem": found.problem}
    told = {k: v for k, v in asdict(found).items() if k not in ("diff", "is_cut", "problem")}
    remote = mask_url(found.remote) if found.remote else None
    diff = {
        "name": diff_name,
        "sha256": hashlib.sha256(found.diff).hexdigest(),
        "is_cut": found.is_cut,
    }
    is_dirty = found.is_dirty
    return {**told, "remote": remote, "is_dirty": is_dirty, "diff": diff if found.diff else None}


def _starts_from(context: Context) -> dict[str, str] | None:
    """The checkpoint that `latest`, an id or the launch means now."""
    wanted = pretrained.find(context.job, context.output_dir)
    if wanted is None or isinstance(wanted, Mistake):
        return None
    return {
        "source": mask(wanted.source),
        "path": str(wanted.path or ""),
        "url": mask_url(wanted.url),
    }


def _same(start: Mapping[str, Any]) -> dict[str, Any]:
    """What of a start is not its time and the name of a file."""
    repositories = [start.get("project"), *(start.get("code") or [])]
    diffs = [(each or {}).get("diff") or {} for each in repositories]
    rest = {k: v for k, v in start.items() if k not in ("time", "command", "project", "code")}
    heads = [{**(each or {}), "diff": None} for each in repositories]
    return {**rest, "heads": heads, "diffs": [diff.get("sha256") for diff in diffs]}


def _readable(diff: bytes) -> str:
    return mask(diff.decode("utf-8", "replace"))
