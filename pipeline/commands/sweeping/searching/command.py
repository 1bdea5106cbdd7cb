"""A search from its space to trials that have run, and an exit code."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline import errors
from pipeline.commands.sweeping import command, record, showing, sorting
from pipeline.commands.sweeping.course import Course
from pipeline.commands.sweeping.engines import errands
from pipeline.commands.sweeping.page import Page
from pipeline.commands.sweeping.record import SearchRecord, SweepRecord
from pipeline.commands.sweeping.searching import showing as searching
from pipeline.commands.sweeping.searching.parting import Parted
from pipeline.commands.sweeping.searching.preparing import Prepared, prepare
from pipeline.configuration.arguments import Arguments
from pipeline.configuration.hydra_groups import remembering
from pipeline.disk.clock import now_iso
from pipeline.messages import console
from pipeline.messages.masking import mask
from pipeline.running import runfolder
from pipeline.starting import commands

if TYPE_CHECKING:
    from pipeline.commands.sweeping.searching.studies import Study
    from pipeline.commands.sweeping.searching.trials import Trials


def main(found: Arguments, parted: Parted, root: Path) -> int:
    """The trials have run, or with `plan` the space is shown; gives the exit code.

    Raises:
        ConfigError: the space or a job at its ends is wrong; nothing was written.
        RunBusyError: another process runs this very search.
    """
    start_file, known = sys.argv[0] or "run.py", tuple(sys.path)
    with remembering():
        prepared = prepare(parted, root=root, start_file=start_file, known=known)
    errands.require_package(prepared.sweep.engine)
    if "plan" in found.commands:
        searching.show_plan(prepared, record.read(prepared.folder))
        return errors.DONE
    # Optuna takes its time to import, and nothing before needs it.
    from pipeline.commands.sweeping.searching import studies

    studies.check(prepared.search.sampler, prepared.search.pruner)
    folder = prepared.folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with runfolder.owned(folder, what="search", remedy="wait for it, or end it"):
        folder.mkdir(exist_ok=True)
        return _run(prepared, commands.resume(found, start_file))


def _run(prepared: Prepared, words: str) -> int:
    from pipeline.commands.sweeping.searching.studies import Study
    from pipeline.commands.sweeping.searching.trials import Trials

    search, before = prepared.search, record.read(prepared.folder)
    study = Study(
        prepared.search_id,
        search.storage,
        prepared.folder,
        direction=prepared.direction,
        dimensions=prepared.composer.dimensions,
        sampler=search.sampler,
        pruner=search.pruner,
        seed=prepared.first.job.seed if search.seed is None else search.seed,
    )
    try:
        trials = Trials(prepared, study, before)
        begun = _record(prepared, words, study.url).replaced(jobs=tuple(trials.entries()))
        if trials.are_over:
            return _tell_over(prepared, sorting.with_best(begun), before, study)
        return _search(prepared, begun, before, study, trials)
    finally:
        study.close()


def _search(
    prepared: Prepared,
    begun: SweepRecord,
    before: SweepRecord | None,
    study: Study,
    trials: Trials,
) -> int:
    sweep, folder = prepared.sweep, prepared.folder
    slots = min(sweep.jobs, prepared.search.trials)
    engine = command.engine_of(sweep, folder, slots=slots)
    searching.tell_beginning(prepared, begun, slots=slots)
    left = [member for member in trials.at_work_already() if runfolder.is_owned(member.folder)]
    showing.tell_adopted(left)
    orphans = command.left_of(left, before)
    course = Course(folder, begun, trials, sweep, orphans=orphans, listeners=[Page()])
    trials.enter = course.enter
    number = course.run(engine, slots=slots)
    _show(prepared, course.record, study)
    if number:
        return errors.INTERRUPTED if number == signal.SIGINT else errors.TERMINATED
    return command.exit_code_of(course.record)


def _record(prepared: Prepared, words: str, url: str) -> SweepRecord:
    return SweepRecord(
        sweep_id=prepared.search_id,
        command=mask(words),
        engine=prepared.sweep.engine,
        started=now_iso(),
        metric=prepared.metric,
        direction=prepared.direction,
        search=SearchRecord(study=prepared.search_id, storage=url, trials=prepared.search.trials),
    )


def _tell_over(
    prepared: Prepared, begun: SweepRecord, before: SweepRecord | None, study: Study
) -> int:
    """Every trial has ended: the record says so, and stays as it was where it did already."""
    found = before
    if found is None or found.status not in ("complete", "failed"):
        code = command.exit_code_of(begun)
        status = "failed" if code else "complete"
        found = begun.replaced(status=status, finished=now_iso())
        found.write(prepared.folder)
    searching.tell_over(prepared.folder)
    _show(prepared, found, study)
    return command.exit_code_of(found)


def _show(prepared: Prepared, found: SweepRecord, study: Study) -> None:
    showing.show_table(found, sorting.best_first(found))
    values = {trial.number + 1: trial.values for trial in study.trials}
    best = searching.lines_of_best(prepared, found, values)
    showing.show_summary(found, prepared.folder, best)
    for note in prepared.first.assignment.notes:
        console.say(f"note: {note}", "yellow", to_errors=True)
