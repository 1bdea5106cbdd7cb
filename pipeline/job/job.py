"""The frozen, validated Job: what run.py does, with every value checked.

Where a value came from and how it is spelled out for people is compose.py's matter;
here stand the keys, their types and their ranges.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal, Optional

from pydantic import BeforeValidator, Field, model_validator

from pipeline.job.fields import (
    Component,
    ComponentPart,
    FrozenMapping,
    FrozenTexts,
    Name,
    Part,
    Place,
    Places,
    RunId,
    Sha256,
    Text,
    Texts,
    sequence,
)
from pipeline.job.hook import Hooks
from pipeline.job.mode import Mode
from pipeline.job.sweep import Sweep


def is_checkpoint_path(text: str) -> bool:
    """Whether `mode.checkpoint` or `mode.resume` is a path, no URL, run's id or `latest`.

    >>> [is_checkpoint_path(text) for text in ("a/b", "x.ckpt", "latest", "obs://b/x.ckpt")]
    [True, True, False, False]
    """
    return "://" not in text and ("/" in text or text.endswith(".ckpt"))


class Run(Part):
    """Which run this is. The id is filled in when it is null."""

    id: RunId
    fresh: bool


class Transfer(Part):
    """Limits of transfers."""

    parallel: Annotated[int, Field(ge=1, le=256)]
    retries: Annotated[int, Field(ge=0, le=20)]
    stall_s: Annotated[float, Field(gt=0, le=3600)]


class WorldNames(Part):
    """The environment variables that tell which of many processes this one is."""

    rank: Texts
    size: Texts
    device: Texts


class Cluster(Part):
    """Where the job runs and where things land; no export place means that `collects_output`."""

    name: Name
    priority: float
    data_dir: Places
    output_dir: Places
    tensorboard_dir: Optional[Text] = None
    export_url: Optional[Place]
    collects_output: bool
    uploader: Optional[Text]
    world: WorldNames
    transfer: Transfer
    node_wait_s: Annotated[float, Field(gt=0)]
    launch: FrozenMapping


class Launched(Part):
    """What is left to know of a launch once its datasets and places are in the job."""

    detected_by: str = "the command line"
    is_launch: bool = False
    checkpoint: str = ""
    models: tuple[str, ...] = ()
    brings_data: bool = False
    job: str = ""
    notes: tuple[str, ...] = ()
    settings: Optional[tuple[FrozenMapping, ...]] = None


class Archive(Part):
    """One input: an archive to unpack, a folder to copy, or a mount to use in place."""

    url: Place
    name: Annotated[Text, Field(description="file name that it gets, which tells its format")]
    sha256: Sha256 = None
    mount: bool = False

    @model_validator(mode="after")
    def _name_is_a_file_name(self) -> Archive:
        if not re.fullmatch(r"[^/\\\0]+", self.name) or self.name.startswith((".", "_")):
            raise ValueError(
                f"name {self.name!r}: expected a file name without '/' or a leading dot"
            )
        return self


class UnpackingLimits(Part):
    """What unpacking one archive may produce."""

    bytes: Annotated[int, Field(ge=1)]
    members: Annotated[int, Field(ge=1)]
    ratio: Annotated[float, Field(gt=0)]


class Dataset(Part):
    """What data, and how they are read."""

    name: Name
    sample: FrozenMapping = Field(default_factory=lambda: MappingProxyType({}))
    classes: Annotated[int, Field(ge=2)]
    archives: Annotated[
        tuple[Archive, ...],
        BeforeValidator(sequence),
        Field(min_length=1, description="the inputs; what a launch brings takes their place"),
    ]
    loader: Optional[Component] = None
    limits: UnpackingLimits
    keep_archives: bool = True

    @model_validator(mode="after")
    def _names_differ(self) -> Dataset:
        names = [archive.name for archive in self.archives]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"archives: the name {twice[0]!r} stands twice; expected one each")
        return self


class Model(Part):
    """What network."""

    name: Name
    network: Component


class Device(Part):
    """On what."""

    target: Literal["CPU", "GPU", "Ascend"]
    precision: Literal["O0", "O1", "O2", "O3"]
    workers: Annotated[Optional[int], Field(ge=1, le=4096)]
    steps_per_graph: Annotated[int, Field(ge=1, le=1000)] = 1
    data_sink: bool = False
    env: FrozenTexts


class Job(Part):
    """The whole job. Nothing in it can be changed, mappings included."""

    seed: Annotated[int, Field(ge=0, lt=2**31)]
    run: Run
    cluster: Cluster
    dataset: Dataset
    model: Model
    mode: Mode
    device: Device
    platform: FrozenTexts
    sweep: Sweep = Field(default_factory=Sweep)
    hooks: Hooks = Field(default_factory=lambda: MappingProxyType({}))
    tensorboard: bool = True
    root: Path = Field(exclude=True)
    launched: Launched = Field(default_factory=Launched, exclude=True)
    digest: str = Field(default="", exclude=True)
    sources: FrozenTexts = Field(default_factory=lambda: MappingProxyType({}), exclude=True)

    @property
    def run_id(self) -> str:
        """The name of the run's folder: the one asked for, else derived from the digest."""
        derived = f"{self.mode.name}-{self.model.name}-{self.dataset.name}-{self.digest[:8]}"
        return self.run.id or derived

    @property
    def components(self) -> Mapping[str, ComponentPart]:
        """The components by the key they stand at; how to learn counts where there are epochs."""
        mode = self.mode
        found = {"model.network": self.model.network}
        if self.dataset.loader is not None:
            found["dataset.loader"] = self.dataset.loader
        if mode.epochs is not None:
            learning = {"optimizer": mode.optimizer, "schedule": mode.schedule, "loss": mode.loss}
            found.update({f"mode.{name}": component for name, component in learning.items()})
        found.update({f"mode.metrics.{name}": metric for name, metric in mode.metrics.items()})
        return found
