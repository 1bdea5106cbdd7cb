"""One job, run by as many processes as it should be, as the terminal sees it."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from pipeline.configuration.validation import probe_components
from pipeline.context import Context
from pipeline.manifest import Manifest
from pipeline.messages import console
from pipeline.processes.world import World
from pipeline.running import runner
from pipeline.running.steps import Step
from pipeline.starting import ranks, relatives, views
from pipeline.starting.assignment import Assignment


def run(
    assignment: Assignment,
    *,
    start: Sequence[str],
    next_command: Callable[[Manifest], str] = lambda _: "",
) -> int:
    """The job is run, its plan shown before and its summary after; gives its exit code.

    `start` is the whole command that starts a further rank.

    Raises:
        ConfigError: the job is wrong; nothing was written.
        RunBusyError: another process runs it.
    """
    job, command = assignment.job, assignment.command

    def before_work(context: Context, decided: Sequence[Step]) -> None:
        if not assignment.is_probed:
            probe_components(job, os.environ)
        news = relatives.difference(context, assignment.mapping)
        views.show_plan(context, decided, is_result=False, news=news)
        tell(assignment.notes)

    def as_first(here: World) -> int:
        ended = runner.run(
            job, command=command, config=assignment.mapping, before_work=before_work, here=here
        )
        views.show_summary(ended, command=command, next_command=next_command(ended.manifest))
        tell(assignment.notes)
        return ended.exit_code

    return ranks.run(job, command=command, start=start, as_first=as_first)


def tell(notes: Sequence[str]) -> None:
    """What people should know of a job."""
    for note in notes:
        console.say(f"note: {note}", "yellow", to_errors=True)
