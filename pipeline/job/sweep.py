"""How several jobs are run: the job's `sweep`, which decides nothing about any of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Annotated, Any, Literal, Optional

from pydantic import BeforeValidator, Field, WithJsonSchema

from pipeline.job.fields import (
    COMPONENT_SCHEMA,
    Component,
    ComponentPart,
    FrozenMapping,
    Part,
    Text,
)

_SAMPLERS = {
    "tpe": "optuna.samplers.TPESampler",
    "random": "optuna.samplers.RandomSampler",
    "brute_force": "optuna.samplers.BruteForceSampler",
}
_PRUNERS = {
    "median": "optuna.pruners.MedianPruner",
    "hyperband": "optuna.pruners.HyperbandPruner",
    "halving": "optuna.pruners.SuccessiveHalvingPruner",
    "none": "optuna.pruners.NopPruner",
}
_DIRECTIONS = {"max": "maximize", "min": "minimize"}


class Ray(Part):
    """The Ray cluster that jobs go to, and what each asks of it."""

    address: Text = "auto"
    num_cpus: Annotated[float, Field(gt=0)] = 1.0
    resources: FrozenMapping = Field(default_factory=lambda: MappingProxyType({}))


class Slurm(Part):
    """The Slurm cluster that jobs go to, and what each asks of it."""

    cluster: Literal["slurm", "local"] = "slurm"
    partition: Optional[Text] = None
    timeout_min: Annotated[int, Field(ge=1)] = 60
    cpus_per_task: Annotated[int, Field(ge=1)] = 1
    parameters: FrozenMapping = Field(default_factory=lambda: MappingProxyType({}))


def _called(names: Mapping[str, str]) -> Callable[[Any], Any]:
    """A component by a short name, or as it is written."""

    def named(value: Any) -> Any:
        # YAML reads none as a text, and null as nothing.
        value = "none" if value is None and "none" in names else value
        if not isinstance(value, str):
            return value
        if value not in names:
            raise ValueError(f"expected one of {', '.join(names)}, or a mapping with _target_")
        return {"_target_": names[value]}

    return named


def _schema_of(names: Mapping[str, str]) -> WithJsonSchema:
    return WithJsonSchema({"anyOf": [{"enum": [*names]}, COMPONENT_SCHEMA]})


def _default(target: str) -> ComponentPart:
    return ComponentPart(target=target, arguments=MappingProxyType({}))


Sampler = Annotated[Component, BeforeValidator(_called(_SAMPLERS)), _schema_of(_SAMPLERS)]
Pruner = Annotated[Component, BeforeValidator(_called(_PRUNERS)), _schema_of(_PRUNERS)]
Direction = Annotated[
    Literal["maximize", "minimize"],
    BeforeValidator(lambda value: _DIRECTIONS.get(value, value) if type(value) is str else value),
    WithJsonSchema({"enum": [*_DIRECTIONS.values(), *_DIRECTIONS]}),
]


class Search(Part):
    """What Optuna chooses the jobs from, and by what; without a space every job is listed."""

    space: FrozenMapping = Field(default_factory=lambda: MappingProxyType({}))
    metric: Optional[Text] = None
    direction: Optional[Direction] = None
    trials: Annotated[int, Field(ge=1, le=10_000)] = 20
    sampler: Sampler = Field(default_factory=lambda: _default(_SAMPLERS["tpe"]))
    pruner: Pruner = Field(default_factory=lambda: _default(_PRUNERS["median"]))
    prune_on: Optional[Text] = None
    storage: Optional[Text] = None
    seed: Annotated[Optional[int], Field(ge=0, lt=2**31)] = None


class Sweep(Part):
    """How many jobs at a time, and through what they are started."""

    jobs: Annotated[int, Field(ge=1, le=10_000)] = 1
    engine: Literal["local", "ray", "slurm"] = "local"
    metric: Optional[Text] = None
    direction: Optional[Literal["max", "min"]] = None
    ray: Ray = Field(default_factory=Ray)
    slurm: Slurm = Field(default_factory=Slurm)
    search: Search = Field(default_factory=Search)
