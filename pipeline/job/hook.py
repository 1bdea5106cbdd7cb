"""Whom a job tells of its start and its end: the job's `hooks`, which decide nothing about it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, WithJsonSchema

from pipeline.job.fields import COMPONENT_SCHEMA, ComponentPart, sequence
from pipeline.messages.masking import learn_addresses

Moment = Literal["start", "end", "failure"]
WHEN: tuple[Moment, ...] = ("start", "end", "failure")


def _moments(value: Any) -> Any:
    return sequence([value] if isinstance(value, str) else value)


Moments = Annotated[tuple[Moment, ...], BeforeValidator(_moments), Field(min_length=1)]


class HookPart(ComponentPart):
    """A `_target_`, when it is called, and the arguments beside them."""

    when: Moments = WHEN


def _split(value: Any) -> Any:
    # Where a mistake is told, an address that should not stand here is not told with it.
    learn_addresses(value)
    if not isinstance(value, Mapping):
        raise ValueError("expected a mapping with _target_, when and the arguments beside them")
    if True in value:
        raise ValueError("'on' is the word true to YAML; expected when: [start, end, failure]")
    parts = {key: value[name] for key, name in _KEYS.items() if name in value}
    return {**parts, "arguments": arguments_in(value)}


_KEYS = {"target": "_target_", "when": "when"}


def arguments_in(value: Mapping[Any, Any]) -> dict[str, Any]:
    """What of a hook's mapping is handed to its target."""
    return {str(key): item for key, item in value.items() if key not in _KEYS.values()}


_SCHEMA = {
    **COMPONENT_SCHEMA,
    "properties": {
        **COMPONENT_SCHEMA["properties"],
        "when": {
            "type": "array",
            "items": {"enum": list(WHEN)},
            "minItems": 1,
            "description": "at which of these it is called; left out: at all of them",
        },
    },
}

Hook = Annotated[HookPart, BeforeValidator(_split), WithJsonSchema(_SCHEMA)]
Hooks = Annotated[
    Mapping[str, Hook],
    AfterValidator(lambda hooks: MappingProxyType(dict(hooks))),
    PlainSerializer(dict, return_type=dict),
]
