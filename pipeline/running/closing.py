"""The run folder at the end: the page that shows what the run came to."""

from __future__ import annotations

import logging

from pipeline.context import Context
from pipeline.running.outcome import message_of

log = logging.getLogger(__name__)

# What these leave is told by the record of the run alone.
_WITHOUT_PAGE = frozenset({"fetch", "extract", "build", "export"})


def report(context: Context, before: str | None) -> None:
    """report.html shows the run as it stands, before the stage that exports it or at the end.

    `before` is the stage that comes next, None after the last one; before others nothing is done,
    nor for a job that only brings data.
    """
    stages = context.job.mode.stages
    is_time = before == "export" or (before is None and "export" not in stages)
    if not is_time or _WITHOUT_PAGE.issuperset(stages):
        return
    # A plan does without it.
    from pipeline.report import page

    page.write(context.folder, context.ended((), None))


def weigh(error: BaseException | None) -> None:
    """What kept the page from being made is only warned of, but an interrupt is passed on."""
    if isinstance(error, KeyboardInterrupt):
        raise error
    if error is not None:
        log.warning("the report could not be made: %s", message_of(error))
        log.debug("the report", exc_info=error)
