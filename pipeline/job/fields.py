"""The types of the job's values: texts, places, frozen mappings, components."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Optional
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
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


def sequence(value: Any) -> Any:
    """A list as a tuple; strict types take no list for one."""
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


def _place(value: str) -> str:
    """A path, or a URL that can be taken apart; whether anything lies there is not asked."""
    if re.match(r"(?i)https?://", value):
        try:
            parts = urlsplit(value)
            # A host with an empty part, and a port that is no number, are found by asking for them.
            is_spelled = bool((parts.hostname or "").encode("idna")) and parts.port != 0
        except ValueError:
            is_spelled = False
        if not is_spelled:
            raise ValueError(
                "expected a URL such as https://host:443/folder/file.zip "
                "(in a password, write %2F for '/' and %3F for '?')"
            )
    return value


def is_dotted_name(text: str) -> bool:
    """Whether the text can be the name of something in a Python module."""
    parts = text.split(".")
    return len(parts) > 1 and all(part.isidentifier() for part in parts)


def _dotted_name(value: str) -> str:
    if not is_dotted_name(value):
        raise ValueError("expected a dotted Python name, such as package.module.Name")
    return value


_TEXT_SCHEMA = {"type": "string", "minLength": 1}
COMPONENT_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "_target_": {
            "type": "string",
            "pattern": r"^\w+(\.\w+)+$",
            "description": "dotted name of what is called, yours or a library's",
        }
    },
    "required": ["_target_"],
    "additionalProperties": True,
}

FrozenMapping = Annotated[
    Mapping[str, Any], AfterValidator(_freeze), PlainSerializer(_thaw, return_type=dict)
]
FrozenTexts = Annotated[
    Mapping[str, str], AfterValidator(_freeze), PlainSerializer(_thaw, return_type=dict)
]
RunId = Annotated[Optional[str], AfterValidator(_run_id)]
Sha256 = Annotated[Optional[str], AfterValidator(_sha256)]
Text = Annotated[str, Field(min_length=1)]
Name = Annotated[Text, Field(description="the choice's name, as its file is called")]
Place = Annotated[str, Field(min_length=1), AfterValidator(_place)]
Texts = Annotated[tuple[Text, ...], BeforeValidator(sequence), Field(min_length=1)]
Places = Annotated[
    tuple[Text, ...],
    BeforeValidator(_one_or_more),
    Field(min_length=1),
    # What editors are told is what a file holds, before it is read.
    WithJsonSchema(
        {"anyOf": [_TEXT_SCHEMA, {"type": "array", "items": _TEXT_SCHEMA, "minItems": 1}]}
    ),
]


class Part(BaseModel):
    """A piece of the job: frozen, typed strictly, no key that is not declared."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class ComponentPart(Part):
    """A `_target_` and the arguments beside it."""

    target: Annotated[str, AfterValidator(_dotted_name)]
    arguments: FrozenMapping


Component = Annotated[
    ComponentPart, BeforeValidator(_split_component), WithJsonSchema(COMPONENT_SCHEMA)
]
Components = Annotated[
    Mapping[str, Component], AfterValidator(_freeze), PlainSerializer(dict, return_type=dict)
]
