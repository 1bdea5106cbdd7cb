"""A composed job with all that a process needs to run it, in memory and as a file.

The file holds no credential: what is secret in it stands in a variable of the process that is
to read it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pipeline.configuration import identity
from pipeline.configuration.validation import job_of
from pipeline.disk.files import write_json
from pipeline.errors import ConfigError, Mistake
from pipeline.job import component
from pipeline.job.job import Job, Launched
from pipeline.messages.masking import mask, masked

SECRETS = "MINDRUN_SECRETS"
# No text of a job begins with it, for a command line cannot hold it.
_MARK = "\0"
_PAIRS = f"{_MARK}pairs"


@dataclass(frozen=True)
class Assignment:
    """The job, the mapping it was made from, what to tell people, and the command that goes on.

    `code_folders` hold code of the user's own; `is_probed` says that its components were imported
    by way of trial already.
    """

    job: Job
    mapping: Mapping[str, Any]
    command: str
    notes: Sequence[str] = ()
    code_folders: Sequence[Path] = ()
    is_probed: bool = False


def write(path: Path, assignment: Assignment) -> dict[str, str]:
    """The file holds the assignment; gives the variables that its reader must have."""
    job = assignment.job
    secrets: list[str] = []
    document = {
        "mapping": assignment.mapping,
        "command": mask(assignment.command),
        "notes": [mask(note) for note in assignment.notes],
        "code_folders": [str(folder) for folder in assignment.code_folders],
        "is_probed": assignment.is_probed,
        "root": str(job.root),
        "digest": job.digest,
        "sources": dict(job.sources),
        "launched": job.launched.model_dump(mode="json"),
    }
    write_json(path, _hidden(document, secrets))
    return {SECRETS: json.dumps(secrets)} if secrets else {}


def read(path: Path, variables: Mapping[str, str]) -> Assignment:
    """What the file holds, the job checked again; its code can be imported from now on.

    Raises:
        ConfigError: the file is damaged, its secrets are not here, or source files of the job
            have changed since it was composed.
    """
    try:
        secrets = json.loads(variables.get(SECRETS, "[]"))
        document = _shown(json.loads(path.read_text(encoding="utf-8")), secrets)
        folders = tuple(Path(folder) for folder in document["code_folders"])
        component.find_code_in(folders)
        job = job_of(document["mapping"], root=Path(document["root"]))
        facts = {
            "digest": document["digest"],
            "sources": document["sources"],
            "launched": Launched.model_validate_json(json.dumps(document["launched"])),
        }
    except (OSError, ValueError, LookupError, TypeError, ValidationError) as error:
        problem = f"{path} is no job that can be run: {mask(str(error))}"
        remedy = "start the sweep again, which writes it anew"
        raise ConfigError([Mistake("job file", problem, "", remedy)]) from error
    job = job.model_copy(update=facts)
    _require_same_sources(job)
    return Assignment(
        job,
        document["mapping"],
        document["command"],
        notes=document["notes"],
        code_folders=folders,
        is_probed=document["is_probed"],
    )


def _require_same_sources(job: Job) -> None:
    """The run's name was made from these sources; others are another run."""
    now = identity.sources_of(job)
    changed = sorted(name for name, digest in job.sources.items() if now.get(name) != digest)
    if changed:
        problem = f"the source of {', '.join(changed)} is another one than when it was composed"
        raise ConfigError([Mistake("job file", problem, "", "start the same command again")])


def _hidden(value: Any, secrets: list[str], name: str = "") -> Any:
    """The value as JSON can carry it, each secret text replaced by its number."""
    if isinstance(value, Mapping):
        if all(isinstance(key, str) for key in value):
            return {key: _hidden(item, secrets, key) for key, item in value.items()}
        pairs = [[key, _hidden(item, secrets, str(key))] for key, item in value.items()]
        return {_PAIRS: pairs}
    if isinstance(value, (list, tuple)):
        return [_hidden(item, secrets, name) for item in value]
    if isinstance(value, str) and (masked(value, name) != value or value.startswith(_MARK)):
        secrets.append(value)
        return f"{_MARK}{len(secrets) - 1}"
    return value


def _shown(value: Any, secrets: Sequence[str]) -> Any:
    if isinstance(value, dict):
        if set(value) == {_PAIRS}:
            return {key: _shown(item, secrets) for key, item in value[_PAIRS]}
        return {key: _shown(item, secrets) for key, item in value.items()}
    if isinstance(value, list):
        return [_shown(item, secrets) for item in value]
    if isinstance(value, str) and value.startswith(_MARK):
        return secrets[int(value[len(_MARK) :])]
    return value
