"""What a stage is, where it is found, and whether a list of stages can be wired."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from pipeline.errors import Mistake
from pipeline.job.component import IMPORT_FAILURES, WHERE
from pipeline.job.fields import is_dotted_name
from pipeline.messages.spelling import nearest_or_all

State = Literal["todo", "done", "changed"]
CONVERSION = "convert"


class AlreadyDone(Exception):  # noqa: N818  no error
    """The first rank has told this one that the run needs no more work."""


@dataclass(frozen=True)
class Outlook:
    """What a stage says beforehand: what it would do, or why it need not.

    `changed` means that something is here, but no longer what the job asks for. What is done
    already gives its products, and its facts and metrics for the record, once more. `mistakes` are
    what it would refuse, so that nothing need run to find that out.
    """

    text: str
    state: State = "todo"
    products: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    mistakes: tuple[Mistake, ...] = ()


class Look(Protocol):
    """Tells a stage's outlook from local files alone; never writes, never asks a storage."""

    def __call__(self, context: Any) -> Outlook:
        """The outlook in this context."""


class Ask(Protocol):
    """Asks places for what a look cannot know, once before a job runs; the context has the answers.

    What does not answer is named in the log and stops nothing.
    """

    def __call__(self, context: Any) -> None:
        """The context holds what was told."""


def ask_nobody(context: Any) -> None:
    """Everything that counts lies here."""
    del context


@dataclass(frozen=True)
class Stage:
    """A verb of the workflow: one function, what it needs and what it makes.

    `needs` are product names the function cannot do without, `accepts` those it can;
    `keys` must be given in the job, `libraries` must be installed. A preparation works only
    for later stages: it is skipped when none of them works on its products.
    """

    name: str
    function: Callable[..., Any]
    look: Look
    needs: tuple[str, ...]
    accepts: tuple[str, ...]
    makes: tuple[str, ...]
    runs_on: Literal["every", "node", "first"]
    keys: tuple[str, ...]
    libraries: tuple[str, ...]
    is_preparation: bool
    ask: Ask = ask_nobody

    def run(self, context: Any, products: Mapping[str, Any]) -> dict[str, Any]:
        """Does the work and gives the products by name."""
        wanted = {name: products[name] for name in self.needs + self.accepts if name in products}
        result = self.function(context, **wanted)
        values = result if len(self.makes) > 1 else (result,)
        return dict(zip(self.makes, values))


def stage(
    *,
    look: Look,
    makes: Sequence[str] = (),
    runs_on: Literal["every", "node", "first"] = "first",
    keys: Sequence[str] = (),
    libraries: Sequence[str] = (),
    is_preparation: bool = False,
    ask: Ask = ask_nobody,
) -> Callable[[Callable[..., Any]], Stage]:
    """Declares a function a stage; its parameters after `context` are what it needs."""

    def declare(function: Callable[..., Any]) -> Stage:
        parameters = list(inspect.signature(function).parameters.values())[1:]
        return Stage(
            name=function.__name__,
            function=function,
            look=look,
            needs=tuple(p.name for p in parameters if p.default is p.empty),
            accepts=tuple(p.name for p in parameters if p.default is not p.empty),
            makes=tuple(makes),
            runs_on=runs_on,
            keys=tuple(keys),
            libraries=tuple(libraries),
            is_preparation=is_preparation,
            ask=ask,
        )

    return declare


def names() -> list[str]:
    """The stages that come with MindRun."""
    folder = Path(__file__).parent / "stages"
    return sorted(path.stem for path in folder.glob("[a-z]*.py"))


def find(name: str) -> Stage:
    """The stage of this name: one of ours, or with dots one of the user's own.

    Raises:
        LookupError: there is no such stage; the message says what there is.
    """
    module, _, function = name.rpartition(".")
    if not module and name not in names():
        raise LookupError(f"there is no stage {name!r}; {nearest_or_all(name, names())}")
    if module and not is_dotted_name(name):
        raise LookupError(f"stage {name!r}: expected a name such as package.module.stage")
    try:
        loaded = importlib.import_module(module or f"pipeline.stages.{name}")
    except IMPORT_FAILURES as error:
        reason = f"{type(error).__name__}: {error}"
        remedy = WHERE if isinstance(error, ModuleNotFoundError) else f"mend {module}"
        raise LookupError(f"stage {name!r} cannot be imported: {reason}; {remedy}") from error
    found = getattr(loaded, function, None)
    if not isinstance(found, Stage):
        is_there = "is not declared with @stage" if found is not None else "does not exist"
        raise LookupError(f"stage {name!r} {is_there}; look into {module}")
    return found


def with_conversion(listed: Sequence[str], export_formats: Any) -> list[str]:
    """A mode's list with the stage that writes model files, where formats are asked for.

    So a list need not name a stage that most jobs would skip. It comes before `export`.

    >>> with_conversion(["build", "train", "export"], ["onnx"])
    ['build', 'train', 'convert', 'export']
    """
    if not export_formats or CONVERSION in listed:
        return list(listed)
    position = listed.index("export") if "export" in listed else len(listed)
    return [*listed[:position], CONVERSION, *listed[position:]]


def find_all(listed: Sequence[str]) -> tuple[list[Stage], list[Mistake]]:
    """The stages of a mode in order, and what keeps them from working together."""
    found, mistakes = [], []
    for position, name in enumerate(listed):
        try:
            found.append(find(name))
        except LookupError as error:
            mistakes.append(Mistake(f"mode.stages.{position}", str(error)))
    return found, mistakes or _wiring_mistakes(found)


def needs_initial_checkpoint(stages: Sequence[Stage]) -> bool:
    """Whether some stage needs a checkpoint that no training before it makes."""
    for stage_ in stages:
        if "checkpoint" in stage_.needs:
            return True
        if "checkpoint" in stage_.makes and not stage_.is_preparation:
            return False
    return False


def _wiring_mistakes(stages: Sequence[Stage]) -> list[Mistake]:
    made: set[str] = set()
    mistakes = []
    for position, stage_ in enumerate(stages):
        key = f"mode.stages.{position}"
        if stage_.name in [before.name for before in stages[:position]]:
            mistakes.append(Mistake(key, f"stage {stage_.name!r} stands twice"))
        for need in stage_.needs:
            if need not in made:
                problem = f"stage {stage_.name!r} needs {need!r}, which no stage before it makes"
                mistakes.append(Mistake(key, problem + _makers(need)))
        made |= set(stage_.makes)
        if stage_.name == "export" and position + 1 < len(stages):
            mistakes.append(Mistake(key, "stage 'export' must be the last one"))
    return mistakes


def _makers(product: str) -> str:
    makers = [name for name in names() if product in find(name).makes]
    listed = " and ".join(repr(name) for name in makers)
    return f"; {listed} make{'s' if len(makers) == 1 else ''} it" if makers else ""
