"""What people see of a search besides what they see of every sweep."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path

from pipeline.commands.sweeping import sorting
from pipeline.commands.sweeping.composing import Member, words_of
from pipeline.commands.sweeping.record import FILE_NAME, JobRecord, SweepRecord
from pipeline.commands.sweeping.searching.dimension import Scalar
from pipeline.commands.sweeping.searching.preparing import Prepared
from pipeline.commands.sweeping.showing import cause
from pipeline.messages import console, tables
from pipeline.messages.console import counted
from pipeline.messages.masking import mask
from pipeline.messages.tables import Column
from pipeline.starting import commands


def show_plan(prepared: Prepared, found: SweepRecord | None) -> None:
    """What would be searched in, and how far that is; nothing of the study is touched."""
    search, sweep = prepared.search, prepared.sweep
    which = "the highest" if prepared.direction == "max" else "the lowest"
    how = f"{_name(search.sampler.target)}, {_name(search.pruner.target)} on {prepared.prune_on}"
    facts = {
        "search": f"{prepared.search_id}: {counted(search.trials, 'trial')}",
        "for": f"{which} {prepared.metric}",
        "by": how,
        "on": f"engine {sweep.engine}, {sweep.jobs} at a time",
        "record": str(prepared.folder / FILE_NAME),
    }
    for name, text in facts.items():
        console.say_row(name, text, width=9, to_errors=False)
    console.say("")
    columns = (Column("key", is_kept=True), Column("values", is_kept=True))
    tables.show(columns, [[d.key, d.words] for d in prepared.composer.dimensions])
    jobs = found.jobs if found else ()
    told = ", ".join(f"{n} {status}" for status, n in Counter(e.status for e in jobs).items())
    over = sum(entry.status in ("complete", "pruned", "failed") for entry in jobs)
    rest = f"{max(0, search.trials - over)} would run"
    console.say(f"\n{told}; {rest}" if told else f"\n{rest}")


def tell_beginning(prepared: Prepared, record: SweepRecord, *, slots: int) -> None:
    """How many trials there are to be, and where all about them is kept."""
    begun = f", {len(record.jobs)} of them begun before" if record.jobs else ""
    how = "one at a time" if slots == 1 else f"{slots} at a time"
    trials = counted(prepared.search.trials, "trial")
    console.say(f"{record.sweep_id}: {trials}{begun}, {how}; {prepared.folder}", to_errors=True)


def tell_known(member: Member) -> None:
    """That a trial's run was there already, and need not be run."""
    text = f"[{member.number}] complete     {member.words}  was complete already"
    console.say(text, "green", to_errors=True)


def tell_wrong(entry: JobRecord) -> None:
    """That the values of a trial make no job."""
    text = f"[{entry.number}] failed       {words_of(entry.overrides)}"
    console.say(text, "red", to_errors=True)
    console.say(f"    {cause(entry)}", to_errors=True)


def tell_no_column(column: str, columns: Collection[str]) -> None:
    """That the pruner sees nothing, and what there is to see."""
    text = (
        f"metrics.jsonl has no column {column!r}, so no trial is pruned; "
        f"sweep.search.prune_on can be one of {', '.join(sorted(columns))}"
    )
    console.say(f"note: {text}", "yellow", to_errors=True)


def lines_of_best(
    prepared: Prepared, record: SweepRecord, values: Mapping[int, Mapping[str, Scalar]]
) -> dict[str, str]:
    """The best trial, and the command that runs it as a single job; `values` are by job."""
    best, composer = sorting.best_of(record), prepared.composer
    if best is None:
        return {"best": "no trial is complete"}
    value = sorting.value_of(record, best)
    told = f"job {best.number}: {record.metric} {value:.6g} with {words_of(best.overrides)}"
    alone = commands.resume(composer.alone(values[best.number]), composer.start_file)
    return {"best": told, "as one job": mask(alone)}


def tell_over(folder: Path) -> None:
    """That there is nothing to run, and what to do where more is wanted."""
    text = "every trial has ended: nothing to do (for more of them raise sweep.search.trials)"
    console.say(f"{text}; {folder}", to_errors=True)


def _name(target: str) -> str:
    return target.rpartition(".")[2]
