"""What a page tells of, read from a run folder; what is missing or damaged there is left out."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from pipeline.disk.plain import plain
from pipeline.manifest import Manifest
from pipeline.messages.masking import masked
from pipeline.report.markup import clean

# Gives a file of a run folder by its path there, None where there is none.
Reader = Callable[[str], Optional[bytes]]

# Written in C where PyYAML was built with libyaml.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_Model = TypeVar("_Model", bound=BaseModel)


class ClassRow(BaseModel):
    """How well one class is told from the others."""

    label: int
    precision: float
    recall: float
    f1: float
    support: int


class Results(BaseModel):
    """metrics.json: what was measured on the test set; further metrics stand beside."""

    model_config = ConfigDict(extra="allow")

    accuracy: Optional[float] = None
    loss: Optional[float] = None
    samples: int
    per_class: list[ClassRow] = []
    confusion_matrix: list[list[int]] = []

    @model_validator(mode="after")
    def _matrix_is_square(self) -> Results:
        if any(len(row) != len(self.confusion_matrix) for row in self.confusion_matrix):
            raise ValueError("the confusion matrix has rows of other lengths than columns")
        return self


class Sample(BaseModel):
    """One sample with what the network makes of it; `png` is its picture in base64, if any."""

    index: int
    predicted: int
    probability: float
    label: int
    png: str = ""


class Samples(BaseModel):
    """samples.json: some samples of a split, wrong ones first."""

    total: int
    wrong: int
    samples: list[Sample] = []


@dataclass(frozen=True)
class Contents:
    """A run folder as far as it can be read; `problems` names the files that cannot."""

    manifest: Manifest
    rows: list[dict[str, float]] = field(default_factory=list)
    results: Results | None = None
    samples: Samples | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    start: Mapping[str, Any] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    best_epoch: int | None = None
    problems: list[str] = field(default_factory=list)


def reader_of(folder: Path) -> Reader:
    """Reads the files of a folder on this machine."""

    def read(name: str) -> bytes | None:
        try:
            return (folder / name).read_bytes()
        except OSError:
            return None

    return read


def take(manifest: Manifest, read: Reader) -> Contents:
    """Everything that the page of this run shows, without credentials."""
    problems: list[str] = []
    index = _mapping(_json(read, "checkpoints/index.json", problems))
    return Contents(
        Manifest.model_validate(masked(manifest.model_dump())),
        rows_in(read("metrics.jsonl") or b""),
        _model(Results, _json(read, "metrics.json", problems), "metrics.json", problems),
        _model(Samples, _json(read, "samples.json", problems), "samples.json", problems),
        _config(read("config.yaml") or b"", problems),
        _last_start(_json(read, "provenance.json", problems)),
        list(_lines(read("events.jsonl") or b"")),
        _whole(_mapping(index.get("best")).get("epoch")),
        problems,
    )


def rows_in(content: bytes) -> list[dict[str, float]]:
    """The rows of metrics.jsonl in the order of their epochs, with their finite numbers."""
    rows = []
    for line in _lines(content):
        numbers = {name: value for name, value in line.items() if is_finite(value)}
        if isinstance(numbers.get("epoch"), int):
            rows.append(numbers)
    return sorted(rows, key=lambda row: row["epoch"])


def _lines(content: bytes) -> Iterator[dict[str, Any]]:
    """The mappings in a table of JSON lines; a half line, as of a killed writer, is passed over."""
    for line in content.decode("utf-8", "replace").splitlines():
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict):
            yield found


def _json(read: Reader, name: str, problems: list[str]) -> Any:
    content = read(name)
    if content is None:
        return None
    try:
        return masked(plain(json.loads(content)))
    except (ValueError, RecursionError):
        problems.append(name)
        return None


def _model(kind: type[_Model], found: Any, name: str, problems: list[str]) -> _Model | None:
    try:
        return None if found is None else kind.model_validate(found)
    except ValidationError:
        problems.append(name)
        return None


def _config(content: bytes, problems: list[str]) -> Mapping[str, Any]:
    try:
        found = yaml.load(content, Loader=_LOADER)
    except (ValueError, RecursionError, yaml.YAMLError):
        problems.append("config.yaml")
        return {}
    return _mapping(masked(found))


def _last_start(found: Any) -> Mapping[str, Any]:
    starts = _mapping(found).get("starts")
    return _mapping(starts[-1]) if isinstance(starts, list) and starts else {}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) else None


def is_finite(value: Any) -> bool:
    """Whether it is a number that a picture can show."""
    try:
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return is_number and math.isfinite(value)
    except OverflowError:
        return False


def text_of(value: Any, most: int = 300) -> str:
    """A value of the configuration on one line, as YAML writes it.

    >>> text_of({"a": [1, None]}), text_of("x"), text_of(True)
    ('{a: [1, null]}', 'x', 'true')
    """
    if isinstance(value, str):
        text = clean(value)
    else:
        dumped = yaml.safe_dump(value, default_flow_style=True, width=10**6, allow_unicode=True)
        text = dumped.split("\n")[0]
    return text if len(text) <= most else f"{text[: most - 1]}…"
