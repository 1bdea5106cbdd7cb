"""What a call of a component is, and what keeps a callable from taking it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import FunctionType
from typing import Any

from pipeline.messages.spelling import did_you_mean, shown


@dataclass(frozen=True)
class Call:
    """How the house will call a component: its dotted name and what it gets.

    Beside the `arguments` these are values by position, names `given` in any case, and names
    `offered`, which only what takes them gets.
    """

    target: str
    positional: int
    arguments: Mapping[str, Any]
    given: tuple[str, ...] = ()
    offered: tuple[str, ...] = ()


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a call: with the target itself, or with one of its arguments."""

    text: str
    remedy: str = ""
    argument: str = "_target_"


def bind(signature: inspect.Signature, call: Call) -> tuple[Problem, ...]:
    """Everything that keeps a callable of this signature from taking the call's arguments."""
    named, kinds = [*signature.parameters.values()], inspect.Parameter
    usable = [p for p in named if p.kind in (kinds.POSITIONAL_ONLY, kinds.POSITIONAL_OR_KEYWORD)]
    filled, rest = usable[: call.positional], named[min(call.positional, len(usable)) :]
    takes_any = any(p.kind is kinds.VAR_KEYWORD for p in named)
    by_name = {
        p.name: p for p in rest if p.kind in (kinds.POSITIONAL_OR_KEYWORD, kinds.KEYWORD_ONLY)
    }
    remedy = f"its arguments are ({', '.join(by_name)})" if by_name else "it takes no arguments"
    problems = []
    takes_all = any(p.kind is kinds.VAR_POSITIONAL for p in named)
    if len(filled) < call.positional and not takes_all:
        text = f"{call.target} takes {len(filled)} values by position; it is called with"
        problems.append(Problem(f"{text} {call.positional}", "see how components are called"))
    for name in call.given:
        if name not in by_name and not takes_any:
            text = f"{call.target} takes no {name}, with which it is called"
            problems.append(Problem(text, remedy))
    taken = [p.name for p in filled if p.kind is kinds.POSITIONAL_OR_KEYWORD]
    for name, value in call.arguments.items():
        if name in (*taken, *call.given):
            problems.append(Problem(f"{call.target} is given it already", "leave it out", name))
        elif name not in by_name and not takes_any:
            question = did_you_mean(name, by_name)
            text = f"{call.target} has no such argument"
            problems.append(Problem(text, "; ".join(filter(None, (question, remedy))), name))
        elif name in by_name and isinstance(value, str) and by_name[name].annotation in _NUMBERS:
            text = f"{shown(value)}: {call.target} expects {by_name[name].annotation}"
            problems.append(Problem(text, argument=name))
    return (*problems, *_lacking(rest, call))


def signature_of(target: Callable[..., Any]) -> inspect.Signature:
    """The signature, seen through a decorator that hides it, as MindSpore's optimizers have one.

    Raises:
        ValueError: the target has none, being compiled.
        TypeError: as above.
    """
    written = inspect.signature(target)
    if not inspect.isclass(target) or any(p.kind not in _VARIADIC for p in _list(written)):
        return written
    function = inspect.unwrap(target.__init__)
    while isinstance(function, FunctionType):
        written = inspect.signature(function)
        if any(p.kind not in _VARIADIC for p in _list(written)[1:]):
            return written.replace(parameters=_list(written)[1:])
        cells = [cell.cell_contents for cell in function.__closure__ or ()]
        hidden = [inspect.unwrap(held) for held in cells if isinstance(held, FunctionType)]
        function = hidden[0] if len(hidden) == 1 else None
    return inspect.signature(target)


_NUMBERS = ("int", "float", "bool")  # as sources write them
_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def _list(signature: inspect.Signature) -> list[inspect.Parameter]:
    return list(signature.parameters.values())


def _lacking(rest: list[inspect.Parameter], call: Call) -> list[Problem]:
    supplied = {*call.arguments, *call.given, *call.offered}
    text = f"a value is missing; {call.target} needs it"
    return [
        Problem(text, argument=parameter.name)
        for parameter in rest
        if parameter.default is inspect.Parameter.empty
        and parameter.kind not in _VARIADIC
        and parameter.name not in supplied
    ]
