"""Samplers and pruners by their names: checked against their arguments, and made."""

from __future__ import annotations

import hashlib
from typing import Any

from pipeline.commands.sweeping.searching.quiet import passing_on
from pipeline.errors import ConfigError, Mistake
from pipeline.job import component
from pipeline.job.calls import Call, bind, signature_of
from pipeline.job.fields import ComponentPart

_SEEDS = 2**31
# Trials at work count as bad until they are told, so that several at a time differ.
_DEFAULTS = {"optuna.samplers.TPESampler": {"constant_liar": True}}


def seed_of(seed: int, number: int) -> int:
    """A seed for each trial; those of neighbours have nothing in common."""
    digest = hashlib.sha256(f"{seed} {number}".encode()).digest()
    return int.from_bytes(digest[:4], "big") % _SEEDS


def takes_seed(part: ComponentPart) -> bool:
    """Whether it is one of Optuna's that begins its random numbers with a seed."""
    is_known = part.target.startswith("optuna.")
    return is_known and "seed" in signature_of(component.load(part.target)).parameters


def built(name: str, part: ComponentPart, kind: type, *, seed: int | None = None) -> Any:
    """The sampler or pruner, with this seed where it takes one.

    Raises:
        ConfigError: there is none of that name, or it does not take its arguments.
    """
    key, given = f"sweep.search.{name}", {**_DEFAULTS.get(part.target, {}), **part.arguments}
    try:
        found = component.load(part.target)
        given.update({"seed": seed} if seed is not None and takes_seed(part) else {})
        problems = bind(signature_of(found), Call(part.target, 0, given))
        if not problems:
            with passing_on():
                made = found(**given)
    except component.IMPORT_FAILURES as error:
        problem = f"{part.target} cannot be made: {error}"
        raise ConfigError([Mistake(key, problem, "", component.WHERE)]) from error
    if problems:
        raise ConfigError([Mistake(f"{key}.{p.argument}", p.text, "", p.remedy) for p in problems])
    if not isinstance(made, kind):
        problem = f"{part.target} is no {name} of Optuna's"
        raise ConfigError([Mistake(key, problem, "", f"name a subclass of {kind.__name__}")])
    return made
