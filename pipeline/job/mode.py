"""What to do: the job's `mode`, with how to learn, and what is kept of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Literal, Optional

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator

from pipeline.job import placeholders
from pipeline.job.fields import (
    Component,
    ComponentPart,
    Components,
    Name,
    Part,
    Place,
    Text,
    Texts,
    sequence,
)

# What stands beside them in metrics.json and in the manifest.
_TAKEN_METRICS = (
    *("accuracy", "loss", "samples", "checkpoint", "per_class", "confusion_matrix"),
    *("train_accuracy", "train_loss"),
)


def _made_by(target: str) -> Any:
    """A default without arguments; pydantic cannot copy one that is there already."""
    return Field(
        default_factory=lambda: ComponentPart(target=target, arguments=MappingProxyType({}))
    )


class EarlyStopping(Part):
    """When training ends before its last epoch: no better by `min_delta`, `patience` times."""

    metric: Annotated[Text, Field(description="loss, accuracy, or one of mode.metrics")] = (
        "accuracy"
    )
    patience: Annotated[int, Field(ge=1, description="measurings without gain, from 1")] = 3
    min_delta: Annotated[float, Field(ge=0, description="what counts as gain, from 0")] = 0.0


class Mode(Part):
    """What to do, and its numbers. Stages say which of the numbers they need."""

    name: Name
    stages: Annotated[Texts, Field(description="the verbs of the job, in order")]
    epochs: Annotated[Optional[int], Field(ge=1)] = None
    batch_size: Annotated[Optional[int], Field(ge=1)] = None
    command: Annotated[Optional[tuple[str, ...]], BeforeValidator(placeholders.split)] = None
    in_output: bool = False
    batches: Annotated[
        Optional[int], Field(ge=1, description="batches of each split that read takes, from 1")
    ] = None
    learning_rate: Annotated[Optional[float], Field(gt=0)] = None
    momentum: Annotated[Optional[float], Field(ge=0, lt=1)] = None
    optimizer: Component = _made_by("mindspore.nn.Momentum")
    schedule: Component = _made_by("pipeline.training.schedules.constant")
    loss: Component = _made_by("mindspore.nn.SoftmaxCrossEntropyWithLogits")
    metrics: Components = Field(default_factory=lambda: MappingProxyType({}))
    gradient_accumulation: Annotated[int, Field(ge=1)] = 1
    evaluate_every: Annotated[int, Field(ge=0)] = 0
    early_stopping: Optional[EarlyStopping] = None
    keep_checkpoints: Annotated[Optional[int], Field(ge=1)] = None
    checkpoint_every_s: Annotated[Optional[float], Field(gt=0)] = None
    time_budget_min: Annotated[Optional[float], Field(gt=0)] = None
    export_formats: Annotated[tuple[Literal["mindir", "onnx"], ...], BeforeValidator(sequence)] = ()
    checkpoint: Optional[Place] = None
    needs_checkpoint: bool = False
    resume: Optional[Text] = None
    strict: bool = True

    @field_validator("command")
    @classmethod
    def _names_mean_something(cls, words: Optional[tuple[str, ...]]) -> Optional[tuple[str, ...]]:
        if words is not None and not "".join(words[:1]):
            raise ValueError("expected a program and its arguments")
        problem = placeholders.misspelled_in(words or ())
        if problem:
            raise ValueError(problem)
        return words

    @field_validator("metrics")
    @classmethod
    def _names_are_free(cls, metrics: Mapping[str, ComponentPart]) -> Mapping[str, ComponentPart]:
        for name in metrics:
            if name in _TAKEN_METRICS or not re.fullmatch(r"\w[\w\-]*", name):
                raise ValueError(
                    f"the name {name!r}: expected letters, digits, '_' and '-', and none of "
                    f"{', '.join(_TAKEN_METRICS)}"
                )
        return metrics

    @field_validator("early_stopping")
    @classmethod
    def _is_measured(
        cls, stopping: Optional[EarlyStopping], found: ValidationInfo
    ) -> Optional[EarlyStopping]:
        # What is wrong itself is no field here; its own mistake says enough.
        if stopping is None or not {"metrics", "evaluate_every"} <= found.data.keys():
            return stopping
        measured = ["accuracy", "loss", *found.data["metrics"]]
        if stopping.metric not in measured:
            raise ValueError(
                f"the metric {stopping.metric!r}: expected one of {', '.join(measured)}"
            )
        if found.data["evaluate_every"] == 0:
            raise ValueError(
                "it needs the test split measured; expected mode.evaluate_every of at least 1"
            )
        return stopping

    @property
    def starts_from_checkpoint(self) -> bool:
        """Whether the job cannot start without one, as far as the mode itself says."""
        return self.needs_checkpoint or "checkpoint" in placeholders.used_in(self.command or ())
