"""The frozen, validated Job: what run.py does, with every value checked.

Where a value came from and how it is spelled out for people is compose.py's matter;
here stand the keys, their types and their ranges.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal, Optional

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    model_validator,
)

_RUN_ID = r"[\w][\w.\-]*"


def _freeze(value: Any) -> Any:
    if isinstance(value, Mapping):
        return MappingProxyType({key: _freeze(item) for key, item in value.items()})
    if isinstance(value, (list, tuple)):
        return tuple(_freeze(item) for item in value)
    return value


def _thaw(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _thaw(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_thaw(item) for item in value]
    return value


def _sequence(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _one_or_more(value: Any) -> Any:
    if not isinstance(value, (str, list, tuple)):
        raise ValueError("expected a folder, or a list of folders such as [a,b]")
    return (value,) if isinstance(value, str) else tuple(value)


def _split_component(value: Any) -> Any:
    if not isinstance(value, Mapping):
        raise ValueError("expected a mapping with _target_ and the arguments beside it")
    arguments = {key: item for key, item in value.items() if key != "_target_"}
    target = {"target": value["_target_"]} if "_target_" in value else {}
    return {**target, "arguments": arguments}


def _run_id(value: Optional[str]) -> Optional[str]:
    if value is not None and (not re.fullmatch(_RUN_ID, value) or len(value) > 120):
        raise ValueError(
            "expected the name of a folder: letters, digits, '-', '_' and '.', "
            "not starting with '.' or '-', at most 120 characters"
        )
    return value


def _sha256(value: Optional[str]) -> Optional[str]:
    if value is not None and not re.fullmatch(r"[0-9a-fA-F]{64}", value):
        raise ValueError("expected 64 hex digits")
    return value.lower() if value is not None else None


def is_dotted_name(text: str) -> bool:
    """Whether the text can be the name of something in a Python module."""
    parts = text.split(".")
    return len(parts) > 1 and all(part.isidentifier() for part in parts)


def _dotted_name(value: str) -> str:
    if not is_dotted_name(value):
        raise ValueError("expected a dotted Python name, such as package.module.Name")
    return value


FrozenMapping = Annotated[
    Mapping[str, Any], AfterValidator(_freeze), PlainSerializer(_thaw, return_type=dict)
]
Text = Annotated[str, Field(min_length=1)]
Texts = Annotated[tuple[Text, ...], BeforeValidator(_sequence), Field(min_length=1)]
Places = Annotated[tuple[Text, ...], BeforeValidator(_one_or_more), Field(min_length=1)]


def is_checkpoint_path(text: str) -> bool:
    """Whether `mode.checkpoint` names a local file, not a URL, a run's id or `latest`.

    >>> [is_checkpoint_path(text) for text in ("a/b", "x.ckpt", "latest", "obs://b/x.ckpt")]
    [True, True, False, False]
    """
    return "://" not in text and ("/" in text or text.endswith(".ckpt"))


class Part(BaseModel):
    """A piece of the job: frozen, typed strictly, no key that is not declared."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class _Component(Part):
    target: Annotated[str, AfterValidator(_dotted_name)]
    arguments: FrozenMapping


Component = Annotated[_Component, BeforeValidator(_split_component)]


class Run(Part):
    """Which run this is. The id is filled in when it is null."""

    id: Annotated[Optional[str], AfterValidator(_run_id)]
    fresh: bool


class Transfer(Part):
    """Limits of transfers."""

    parallel: Annotated[int, Field(ge=1, le=256)]
    retries: Annotated[int, Field(ge=0, le=20)]
    stall_s: Annotated[float, Field(gt=0, le=3600)]


class Cluster(Part):
    """Where the job runs and where things land."""

    name: Text
    data_dir: Places
    output_dir: Places
    export_url: Text
    transfer: Transfer


class Archive(Part):
    """One input: an archive to unpack, a folder to copy, or a mount to use in place."""

    url: Text
    name: Text
    sha256: Annotated[Optional[str], AfterValidator(_sha256)] = None
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

    name: Text
    sample: FrozenMapping = Field(default_factory=lambda: MappingProxyType({}))
    classes: Annotated[int, Field(ge=2)]
    archives: Annotated[tuple[Archive, ...], BeforeValidator(_sequence), Field(min_length=1)]
    loader: Component
    limits: UnpackingLimits

    @model_validator(mode="after")
    def _names_differ(self) -> Dataset:
        names = [archive.name for archive in self.archives]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"archives: the name {twice[0]!r} stands twice; expected one each")
        return self


class Model(Part):
    """What network."""

    name: Text
    network: Component


class Mode(Part):
    """What to do, and its numbers. Stages say which of the numbers they need."""

    name: Text
    stages: Texts
    epochs: Annotated[Optional[int], Field(ge=1)] = None
    batch_size: Annotated[Optional[int], Field(ge=1)] = None
    learning_rate: Annotated[Optional[float], Field(gt=0)] = None
    momentum: Annotated[Optional[float], Field(ge=0, lt=1)] = None
    checkpoint: Optional[Text] = None
    needs_checkpoint: bool = False


class Device(Part):
    """On what."""

    target: Literal["CPU", "GPU", "Ascend"]
    precision: Literal["O0", "O1", "O2", "O3"]
    workers: Annotated[Optional[int], Field(ge=1, le=1)]
    env: Annotated[
        Mapping[str, str], AfterValidator(_freeze), PlainSerializer(_thaw, return_type=dict)
    ]


class Job(Part):
    """The whole job. Nothing in it can be changed, mappings included."""

    seed: Annotated[int, Field(ge=0, lt=2**31)]
    run: Run
    cluster: Cluster
    dataset: Dataset
    model: Model
    mode: Mode
    device: Device
    platform: Annotated[
        Mapping[str, str], AfterValidator(_freeze), PlainSerializer(_thaw, return_type=dict)
    ]
    root: Path = Field(exclude=True)
    digest: str = Field(default="", exclude=True)

    @property
    def run_id(self) -> str:
        """The name of the run's folder: the one asked for, else derived from the digest."""
        derived = f"{self.mode.name}-{self.model.name}-{self.dataset.name}-{self.digest[:8]}"
        return self.run.id or derived

    @property
    def components(self) -> Mapping[str, _Component]:
        """The components by the key they stand at."""
        return {"dataset.loader": self.dataset.loader, "model.network": self.model.network}
