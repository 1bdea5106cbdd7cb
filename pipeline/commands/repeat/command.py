"""The command itself: the job as it was, run again, and the verdict."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from pipeline import errors, manifest
from pipeline.commands.repeat import changes, recorded, verdict
from pipeline.commands.repeat.changes import Change
from pipeline.commands.repeat.options import COMMAND, Options, read_options
from pipeline.commands.repeat.recorded import Recorded
from pipeline.commands.repeat.verdict import DIFFERS, SAME, UNKNOWN
from pipeline.commands.runs import Run, differences, exported, finding
from pipeline.commands.runs.command import find_all, output_folders
from pipeline.configuration import arguments, compose, identity
from pipeline.configuration.origins import Origins
from pipeline.configuration.validation import validate
from pipeline.errors import ConfigError
from pipeline.inputs import places
from pipeline.job import component
from pipeline.job.job import Job
from pipeline.messages import console, tables
from pipeline.messages.tables import Column
from pipeline.running import preparation, provenance
from pipeline.starting import assignment, single
from pipeline.starting.assignment import Assignment

_STYLES = {SAME: "green", DIFFERS: "red", UNKNOWN: "yellow"}
# The words, and their colour.
_SAME_RESULTS = ("the same: every number, weight and file that was compared", "bold green")
_NO_RESULTS = ("nothing else to compare: the run left no numbers, weights or files", "bold yellow")


def main(argv: Sequence[str], root: Path) -> int:
    """Repeats the run that the words name; 0 if it came out the same, 1 if not.

    Raises:
        ConfigError: the words are wrong, or the run cannot be repeated; nothing ran.
        StorageError: the place of the export does not answer.
    """
    options = read_options(argv)
    first = _find(options, root)
    found = recorded.take(first, options.values, root=root, secrets=_texts_here(options, root))
    folders = _code_folders(found, options, root)
    component.find_code_in(folders)
    job = _job(first, found, root)
    command = _command(first, job, options)
    changed = _changes(first, found, job, command)
    _show_changes(first, found, changed)
    code = _run(Assignment(job, found.mapping, command, code_folders=folders))
    again = finding.in_folder(_folder(job))
    if code != errors.DONE or again is None:
        console.say("the repeat did not come to its end: nothing is compared", to_errors=True)
        return code or errors.FAILED
    return _tell(first, again, changed)


def _find(options: Options, root: Path) -> Run:
    def known() -> Sequence[Run]:
        if options.place:
            return exported.at(options.place).runs
        typed = options.values.get("cluster.output_dir")
        settings = [f"cluster.output_dir={typed}"] if typed else []
        flags = [word for folder in options.config_dirs for word in ("--config-dir", folder)]
        return finding.in_folders(output_folders([*settings, *flags], root))

    return find_all([options.name], known)[0]


def _texts_here(options: Options, root: Path) -> Iterator[str]:
    """What may be a secret of the job: values of variables, and of a job started here and now."""
    yield from os.environ.values()
    flags = [word for folder in options.config_dirs for word in ("--config-dir", folder)]
    typed = arguments.read(flags, commands=(), roots=compose.roots(root))
    try:
        here = compose.compose(
            typed, root=root, current_folder=Path.cwd(), variables=os.environ
        ).mapping
    except ConfigError:
        return
    yield from (value for _, value in differences.flat(here) if isinstance(value, str))


def _code_folders(found: Recorded, options: Options, root: Path) -> list[Path]:
    named = [Path.cwd() / text for text in options.config_dirs]
    beside = [place for folder in named for place in (folder, folder.parent)]
    then = [folder for folder in recorded.code_folders(found.start) if folder != root]
    return list(dict.fromkeys([*beside, *then]))


def _job(first: Run, found: Recorded, root: Path) -> Job:
    """The frozen job under an id of its own."""
    run = found.mapping.get("run")
    chosen = run.get("id") if isinstance(run, dict) else None
    is_chosen = chosen not in (None, first.manifest.run_id if first.manifest else None)
    found.mapping["run"] = {"id": chosen if is_chosen else first.id, "fresh": False}
    job = validate(found.mapping, Origins(), [], root=root)
    mode = {"checkpoint": job.mode.checkpoint, "resume": job.mode.resume}
    facts = {"digest": identity.digest_of(job, mode), "sources": identity.sources_of(job)}
    job = job.model_copy(update=facts)
    if is_chosen:
        return job
    run_id = _free_id(job, first.id)
    found.mapping["run"] = {"id": run_id, "fresh": False}
    return job.model_copy(update={"run": job.run.model_copy(update={"id": run_id})})


def _free_id(job: Job, run_id: str) -> str:
    """The id of the first repeat that is not there yet, or that this job has not finished."""
    output_dir, number = places.choose("cluster.output_dir", job.cluster.output_dir), 1
    while (output_dir / (name := f"{run_id}.{COMMAND}-{number}")).exists():
        there = manifest.read(output_dir / name)
        if there and there.digest == job.digest and there.status != "complete":
            break
        number += 1
    return name


def _folder(job: Job) -> Path:
    return places.choose("cluster.output_dir", job.cluster.output_dir) / job.run_id


def _command(first: Run, job: Job, options: Options) -> str:
    words = ["python", sys.argv[0] or "run.py", COMMAND, first.place]
    words += [word for folder in options.config_dirs for word in ("--config-dir", folder)]
    values = {**options.values, "run.id": job.run_id}
    return shlex.join([*words, *(f"{key}={value}" for key, value in values.items())])


def _changes(first: Run, found: Recorded, job: Job, command: str) -> list[Change]:
    """What is other than then."""
    if first.manifest is None:
        return []
    now = provenance.now(preparation.prepare(job, command))
    return changes.since(found.start, first.manifest, now)


def _show_changes(first: Run, found: Recorded, changed: Sequence[Change]) -> None:
    """Says it before anything runs."""
    little = f"{first.place} has no {provenance.FILE_NAME}, so that little is known of then"
    single.tell([*found.notes, *([] if found.start else [little])])
    if not changed:
        console.say(f"repeating {first.id}: nothing is known to be other than then")
        return
    console.say(f"repeating {first.id}; other than then:")
    columns = [Column(name, is_kept=True) for name in ("what", "then", "now", "may change")]
    tables.show(columns, [[c.what, c.then, c.now, c.effect] for c in changed], indent=2)
    back = changes.way_back(found.start, first.place)
    if back and any(change.effect == changes.ANYTHING for change in changed):
        console.say(f"  the code of then: {' && '.join(back)}")


def _run(assigned: Assignment) -> int:
    """The job is run here; further ranks read it from a file, which goes with them."""
    folder = _folder(assigned.job)
    path = folder.with_name(f".{folder.name}.job.json")
    try:
        os.environ.update(assignment.write(path, assigned))
        return single.run(assigned, start=[sys.executable, "-m", "pipeline.child", str(path)])
    finally:
        path.unlink(missing_ok=True)


def _tell(first: Run, again: Run, changed: Sequence[Change]) -> int:
    found = verdict.compare(first, again)
    console.say(f"\n{first.id} and {again.id}", "bold")
    columns = [
        Column("what", is_kept=True),
        Column("", is_kept=True, styles=_STYLES),
        Column("difference", is_kept=True),
    ]
    tables.show(columns, [[f.what, f.verdict, f.detail] for f in found], indent=2)
    if all(item.verdict == SAME for item in found):
        console.say(*_SAME_RESULTS if verdict.are_results(found) else _NO_RESULTS)
        return errors.DONE
    names = ", ".join(change.what for change in changed)
    told = f"other than then: {names}" if names else "nothing is known to be other than then"
    console.say("not the same", "bold red")
    more = shlex.join(["python", sys.argv[0] or "run.py", "runs", first.place, again.place])
    tables.show([Column("", is_kept=True)] * 2, [["why", told], ["more", more]], indent=2)
    return errors.FAILED
