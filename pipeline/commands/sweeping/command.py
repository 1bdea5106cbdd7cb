"""The command itself: from one command line to jobs that have run, and an exit code."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pipeline import errors
from pipeline.commands.sweeping import composing, expanding, record, showing, sorting
from pipeline.commands.sweeping.composing import Member
from pipeline.commands.sweeping.course import Course, Listed, done_entry, first_entry
from pipeline.commands.sweeping.engines import errands
from pipeline.commands.sweeping.engines.local import Local
from pipeline.commands.sweeping.engines.protocol import Engine
from pipeline.commands.sweeping.engines.ray import Ray
from pipeline.commands.sweeping.engines.slurm import Slurm
from pipeline.commands.sweeping.page import Page
from pipeline.commands.sweeping.record import FOLDER, JobRecord, SweepRecord
from pipeline.configuration.arguments import Arguments
from pipeline.configuration.hydra_groups import remembering
from pipeline.disk.clock import now_iso
from pipeline.errors import ConfigError
from pipeline.job.sweep import Sweep
from pipeline.messages import console
from pipeline.messages.masking import mask
from pipeline.running import runfolder
from pipeline.starting import commands


def main(found: Arguments, root: Path) -> int:
    """The jobs of the command line are run, or with `plan` shown; gives the exit code.

    Raises:
        ConfigError: a job is wrong; nothing was written.
        RunBusyError: another process runs this very sweep.
    """
    start_file = sys.argv[0] or "run.py"
    members = members_of(found, root, start_file)
    sweep_id = record.id_of(member.run_id for member in members)
    folder = members[0].context.output_dir / FOLDER / sweep_id
    if "plan" in found.commands:
        showing.show_plan(sweep_id, folder, members)
        _tell_notes(members)
        return errors.DONE
    folder.parent.mkdir(parents=True, exist_ok=True)
    with runfolder.owned(folder, what="sweep", remedy="wait for it, or end it"):
        return _run(folder, members, commands.resume(found, start_file))


def members_of(found: Arguments, root: Path, start_file: str) -> list[Member]:
    """All jobs of the command line, checked.

    Raises:
        ConfigError: with the mistakes of all of them.
    """
    here, known = Path.cwd(), set(sys.path)
    with remembering():
        try:
            variants = expanding.expand(found, root=root, current_folder=here)
        except ConfigError as error:
            raise ConfigError([*found.mistakes, *error.mistakes]) from error
        members = composing.compose_all(
            variants, root=root, current_folder=here, start_file=start_file
        )
    errands.require_package(members[0].job.sweep.engine)
    # What --config-dir and its kin have added, for a process on another machine.
    added = tuple(Path(folder) for folder in sys.path if folder not in known)
    return [replace(m, assignment=replace(m.assignment, code_folders=added)) for m in members]


def engine_of(sweep: Sweep, folder: Path, *, slots: int) -> Engine:
    """The place where the jobs run, so many at a time; `folder` is the sweep's.

    Raises:
        ConfigError: a cluster does not answer, or takes no jobs from here.
    """
    if sweep.engine == "ray":
        return Ray(sweep.ray)
    if sweep.engine == "slurm":
        return Slurm(sweep.slurm, folder / "slurm")
    return Local(slots)


def _run(folder: Path, members: Sequence[Member], command: str) -> int:
    is_done = {member.number: member.is_complete() for member in members}
    waiting = [member for member in members if not is_done[member.number]]
    composing.probe_all(waiting)
    sweep = members[0].job.sweep
    before = record.read(folder)
    entries = [done_entry(m, before) if is_done[m.number] else first_entry(m) for m in members]
    begun = _record(folder.name, command, sweep, entries)
    _tell_notes(members)
    showing.tell_twins(members)
    if not waiting:
        return _tell_done(folder, begun, before)
    slots = min(sweep.jobs, len(waiting))
    engine = engine_of(sweep, folder, slots=slots)
    showing.tell_beginning(begun, folder, slots=slots)
    owned = [member for member in waiting if runfolder.is_owned(member.folder)]
    showing.tell_adopted(owned)
    course = Course(
        folder, begun, Listed(waiting), sweep, orphans=left_of(owned, before), listeners=[Page()]
    )
    number = course.run(engine, slots=slots)
    _show(course.record, folder)
    if number:
        return errors.INTERRUPTED if number == signal.SIGINT else errors.TERMINATED
    return exit_code_of(course.record)


def left_of(owned: Sequence[Member], before: SweepRecord | None) -> set[str]:
    """The runs at work that a killed start of this sweep has left behind."""
    running = {entry.run_id for entry in before.jobs if not entry.is_over} if before else set()
    return {member.run_id for member in owned} & running


def exit_code_of(found: SweepRecord) -> int:
    """0 where all are complete, 75 where time budgets alone have stopped some, else 1."""
    codes = {entry.exit_code for entry in found.jobs if entry.status not in ("complete", "pruned")}
    if codes == {errors.OUT_OF_TIME}:
        return errors.OUT_OF_TIME
    return errors.FAILED if codes else errors.DONE


def _record(sweep_id: str, command: str, sweep: Sweep, entries: Sequence[JobRecord]) -> SweepRecord:
    metric, direction = sorting.compared_by(sweep, entries)
    return SweepRecord(
        sweep_id=sweep_id,
        command=mask(command),
        engine=sweep.engine,
        started=now_iso(),
        metric=metric,
        direction=direction,
        jobs=tuple(entries),
    )


def _tell_done(folder: Path, begun: SweepRecord, found: SweepRecord | None) -> int:
    """Nothing is left to run: the record says so, and stays as it was where it did already."""
    if found is None or found.status != "complete":
        found = begun.replaced(status="complete", finished=now_iso())
        found.write(folder)
    console.say("every job is complete already: nothing to do", to_errors=True)
    _show(found, folder)
    return errors.DONE


def _show(found: SweepRecord, folder: Path) -> None:
    showing.show_table(found, sorting.best_first(found))
    showing.show_summary(found, folder)


def _tell_notes(members: Sequence[Member]) -> None:
    """What people should know of the jobs, each thing once."""
    notes = dict.fromkeys(note for member in members for note in member.assignment.notes)
    for note in notes:
        console.say(f"note: {note}", "yellow", to_errors=True)
