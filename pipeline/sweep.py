"""How several jobs are run: the job's `sweep`, which decides nothing about any of them."""

from __future__ import annotations

from types import MappingProxyType
from typing import Annotated, Literal, Optional

from pydantic import Field

from pipeline.fields import FrozenMapping, Part, Text


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


class Sweep(Part):
    """How many jobs at a time, and through what they are started."""

    jobs: Annotated[int, Field(ge=1, le=10_000)] = 1
    engine: Literal["local", "ray", "slurm"] = "local"
    metric: Optional[Text] = None
    direction: Optional[Literal["max", "min"]] = None
    ray: Ray = Field(default_factory=Ray)
    slurm: Slurm = Field(default_factory=Slurm)
