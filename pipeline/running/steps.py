"""What each stage of a job would do, decided from what lies here: for plan and runner alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pipeline.context import Context
from pipeline.errors import ConfigError
from pipeline.stage import Outlook, Stage


@dataclass(frozen=True)
class Step:
    """A stage, its outlook, and whether it works."""

    stage: Stage
    outlook: Outlook
    works: bool

    @property
    def reason(self) -> str:
        """Why it does not work, for the manifest and for people."""
        is_done = self.outlook.state == "done"
        return self.outlook.text.replace("\n", "; ") if is_done else "no later stage needs it"


def ask(stages: Sequence[Stage], context: Context) -> None:
    """What only places elsewhere know is in the context; a plan does without."""
    for stage in stages:
        stage.ask(context)


def foresee(stages: Sequence[Stage], context: Context) -> list[Step]:
    """The steps of the whole job, in a run folder that a fresh start will have put aside.

    Raises:
        ConfigError: what lies here tells already that a stage would refuse it.
    """
    if context.reason_to_start_anew:
        unused = context.folder / ".not-yet"
        context = replace(context, folder=unused, previous=None)
    decided = decide(stages, context)
    mistakes = [mistake for step in decided for mistake in step.outlook.mistakes]
    if mistakes:
        raise ConfigError(mistakes)
    return decided


def decide(stages: Sequence[Stage], context: Context) -> list[Step]:
    """The steps from here on. A preparation works only for later stages that work."""
    ahead = replace(context, products=dict(context.products))
    outlooks = []
    for stage in stages:
        outlook = stage.look(ahead)
        outlooks.append(outlook)
        if outlook.state == "done":
            ahead.products.update(outlook.products)
        else:
            # What it will make is not known yet, and what it made before no longer counts.
            for product in set(stage.makes) - set(stage.accepts):
                ahead.products.pop(product, None)
    steps: list[Step] = []
    for stage, outlook in reversed(list(zip(stages, outlooks))):
        # What all ranks do together none may skip: the others cannot know, and would wait.
        is_shared = stage.runs_on == "every" and context.here.has_company
        steps.insert(0, Step(stage, outlook, is_shared or _works(stage, outlook, steps)))
    return steps


def _works(stage: Stage, outlook: Outlook, later: Sequence[Step]) -> bool:
    if outlook.state == "done":
        return False
    if not stage.is_preparation or outlook.state == "changed":
        return True
    users = [s for s in later if set(stage.makes) & {*s.stage.needs, *s.stage.accepts}]
    return not users or any(step.works for step in users)
