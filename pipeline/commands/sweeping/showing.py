"""What people see of a sweep: its plan, a line for each ending, the table at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from pipeline import errors
from pipeline.commands.sweeping.composing import Member, words_of
from pipeline.commands.sweeping.record import FILE_NAME, JobRecord, SweepRecord
from pipeline.commands.sweeping.sorting import value_of
from pipeline.messages import console, tables
from pipeline.messages.console import counted, human_seconds
from pipeline.messages.tables import Column
from pipeline.report.page import FILE_NAME as PAGE
from pipeline.running import runfolder

_STYLES = {
    "complete": "green",
    "failed": "red",
    "interrupted": "yellow",
    "pruned": "dim",
    "running": "cyan",
    "waiting": "dim",
}
_NEW = "new"


def show_plan(sweep_id: str, folder: Path, members: Sequence[Member]) -> None:
    """The jobs and how far each is, as files on this machine tell."""
    sweep = members[0].job.sweep
    facts = {
        "sweep": f"{sweep_id}: {counted(len(members), 'job')}",
        "on": f"engine {sweep.engine}, {sweep.jobs} at a time",
        "record": str(folder / FILE_NAME),
    }
    for name, text in facts.items():
        console.say_row(name, text, width=9, to_errors=False)
    tell_twins(members)
    console.say("")
    columns = (
        Column("job", is_number=True, is_kept=True),
        Column("overrides", is_kept=True),
        Column("status", is_kept=True, styles=_STYLES),
        Column("folder"),
    )
    rows = [[f"{m.number}", m.words, standing(m), str(m.folder)] for m in members]
    tables.show(columns, rows)
    done = sum(member.looks_complete() for member in members)
    rest = len(members) - done
    console.say(f"\n{done} complete already, {rest} would run" if done else f"\n{rest} would run")


def standing(member: Member) -> str:
    """How far a job's run is, in one word."""
    if member.looks_complete():
        return "complete"
    if runfolder.is_owned(member.folder):
        return "running"
    return member.previous.ended_as if member.previous else _NEW


def tell_twins(members: Sequence[Member]) -> None:
    """Which jobs are the same run as another, and so run once."""
    for member in members:
        if member.twins:
            who = ", ".join(map(str, member.twins))
            said = f"job {who} is" if len(member.twins) == 1 else f"jobs {who} are"
            text = f"{said} the same as job {member.number} ({member.words}) and run once"
            console.say(f"note: {text}", "yellow", to_errors=True)


def tell_beginning(record: SweepRecord, folder: Path, *, slots: int) -> None:
    """How many jobs there are to run, and where all about them is kept."""
    done = sum(entry.status == "complete" for entry in record.jobs)
    already = f", {done} complete already" if done else ""
    how = "one at a time" if slots == 1 else f"{slots} at a time"
    text = f"{record.sweep_id}: {counted(len(record.jobs), 'job')}{already}, {how}; {folder}"
    console.say(text, to_errors=True)


def tell_adopted(members: Sequence[Member]) -> None:
    """Which jobs another process is running: these are waited for, not started twice."""
    for member in members:
        text = (
            f"job {member.number} ({member.words}) is being run already, by what an earlier start "
            "has left behind or by another process; it is waited for, not started twice"
        )
        console.say(f"note: {text}", "yellow", to_errors=True)


def tell_start(member: Member, count: int, log: Path) -> None:
    """That a job starts, and where its output goes."""
    text = f"[{member.number}/{count}] starts       {member.words}  ({log})"
    console.say(text, "dim", to_errors=True)


def tell_end(record: SweepRecord, entry: JobRecord, log: Path) -> None:
    """The status line of a job, the moment it ends."""
    metric, value = record.metric, value_of(record, entry)
    number = f"  {metric} {value:.4f}" if value is not None else ""
    took = f"  {human_seconds(entry.seconds)}" if entry.seconds is not None else ""
    start = f"[{entry.number}/{record.count}] {entry.status:<12} {words_of(entry.overrides)}"
    console.say(f"{start}{number}{took}", _STYLES[entry.status], to_errors=True)
    if entry.error is not None:
        console.say(f"    {cause(entry)}; log: {log}", to_errors=True)


def cause(entry: JobRecord) -> str:
    """Why a job did not come to its end, in one paragraph."""
    error = entry.error
    if error is None:
        return "nothing says why"
    is_said = hasattr(errors, error.type) or error.type in _TELLING
    text = error.message if is_said else f"{error.type}: {error.message}"
    return f"{text} (stage {error.stage})" if error.stage else text


# Of these the message alone says what there is to say.
_TELLING = (
    "Terminated",
    "OutOfTime",
    "KeyboardInterrupt",
    "SystemExit",
    "Killed",
    "Exit",
    "Engine",
)


def show_table(record: SweepRecord, entries: Sequence[JobRecord]) -> None:
    """Every job in this order, and what became of all."""
    columns = (
        Column("job", is_number=True, is_kept=True),
        Column("overrides", is_kept=True),
        Column("status", is_kept=True, styles=_STYLES),
        Column(record.metric or "metric", is_number=True, is_kept=True),
        Column("seconds", is_number=True),
        Column("folder"),
    )
    console.say("")
    tables.show(columns, [_row(record, entry) for entry in entries])


def show_summary(
    record: SweepRecord, folder: Path, more: Mapping[str, str] = MappingProxyType({})
) -> None:
    """How many ended how, the causes of those that failed, and the command that runs the rest."""
    counts = Counter(entry.status for entry in record.jobs)
    told = ", ".join(f"{count} {status}" for status, count in counts.items())
    is_good = record.status == "complete"
    style = "bold green" if is_good else "bold red" if record.status == "failed" else "bold yellow"
    console.say("")
    console.say(f"{record.sweep_id} {record.status}: {told}", style)
    lines = {"record": str(folder / FILE_NAME)}
    if (folder / PAGE).is_file():
        lines["report"] = str(folder / PAGE)
    lines.update(more)
    for entry in record.jobs:
        if entry.status in ("failed", "interrupted"):
            lines[f"job {entry.number}"] = f"{words_of(entry.overrides)}: {cause(entry)}"
    # What has failed of a search has had its trial.
    is_rest_left = record.search is None or counts["interrupted"] or counts["waiting"]
    if not is_good and is_rest_left:
        lines["the rest"] = record.command
    width = max(len(name) for name in lines) + 4
    for name, text in lines.items():
        console.say_row(f"  {name}", text, width=width, to_errors=False)


def _row(record: SweepRecord, entry: JobRecord) -> list[str]:
    value = value_of(record, entry)
    return [
        f"{entry.number}",
        words_of(entry.overrides),
        entry.status,
        "" if value is None else f"{value:.4f}",
        "" if entry.seconds is None else f"{entry.seconds:.1f}",
        entry.folder,
    ]
