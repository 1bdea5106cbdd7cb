"""JSON Schemas of the configuration's groups: editors check YAML with them, and complete it."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docs.reference import comments
from pipeline.job.job import Job

GROUPS = ("cluster", "dataset", "model", "mode", "device")
_FOLDER = Path(__file__).resolve().parents[1] / "schemas"
_DIALECT = "http://json-schema.org/draft-07/schema#"
# Any value may be taken from elsewhere: ${dataset.classes}.
REFERENCE = {"type": "string", "pattern": r"\$\{.+\}"}
_ANNOTATIONS = ("description", "default")
_DEFAULTS = {
    "type": "array",
    "description": "Hydra's defaults list: files that this one builds on, in order",
}


def files() -> dict[Path, str]:
    """The text of every schema by the path it belongs at."""
    made = {group: of_group(group) for group in GROUPS}
    made["experiment"] = _of_whole(is_partial=True)
    made["config"] = _of_whole(is_partial=False)
    return {
        _FOLDER / f"{name}.json": json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
        for name, schema in made.items()
    }


def of_group(group: str) -> dict[str, Any]:
    """The schema of a file conf/<group>/<choice>.yaml."""
    schema = _explained(_part(group), comments.of_group(group))
    schema["properties"]["defaults"] = _DEFAULTS
    required = schema.pop("required", [])
    # A file that builds on another need not hold everything itself.
    whole = {"if": {"not": {"required": ["defaults"]}}, "then": {"required": required}}
    return {"$schema": _DIALECT, **schema, "allOf": [whole], "title": f"conf/{group}"}


def _of_whole(*, is_partial: bool) -> dict[str, Any]:
    """The schema of config.yaml, or of a recipe, which holds any part of everything."""
    top = comments.of_file(comments.CONF / "config.yaml")
    whole = _explained(_inlined(Job.model_json_schema()), top)
    written = [name for name, field in Job.model_fields.items() if not field.exclude]
    known = {name: whole["properties"][name] for name in written if name not in GROUPS}
    for group in GROUPS:
        known[group] = _without_required(_explained(_part(group), comments.of_group(group)))
    if is_partial:
        known = {name: _without_required(part) for name, part in known.items()}
    return {
        "$schema": _DIALECT,
        "title": "conf/experiment" if is_partial else "conf/config.yaml",
        "type": "object",
        "properties": {"defaults": _DEFAULTS, **known, "hydra": {"type": "object"}},
        "additionalProperties": is_partial,
    }


def _part(group: str) -> dict[str, Any]:
    part = Job.model_fields[group].annotation
    assert part is not None
    return _inlined(part.model_json_schema())


def _inlined(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with its definitions in the places where they are referred to."""
    definitions = schema.pop("$defs", {})

    def put(node: Any) -> Any:
        if isinstance(node, list):
            return [put(item) for item in node]
        if not isinstance(node, dict):
            return node
        if "$ref" in node:
            found = definitions[node["$ref"].rpartition("/")[2]]
            return put({**found, **{k: v for k, v in node.items() if k != "$ref"}})
        return {key: put(value) for key, value in node.items()}

    found = put(schema)
    return dict(found)


def _explained(schema: dict[str, Any], said: dict[str, str]) -> dict[str, Any]:
    """With what the YAML files say of each key, and with references allowed as values."""
    made = copy.deepcopy(schema)
    for key, node in list(walk(made)):
        node.pop("title", None)
        if key in said:
            node["description"] = said[key]
        if node.get("type") not in ("object", "array", None):
            kept = {name: node.pop(name) for name in list(node) if name not in _ANNOTATIONS}
            node["anyOf"] = [kept, REFERENCE]
        elif "anyOf" in node:
            node["anyOf"].append(REFERENCE)
    made.pop("title", None)
    return made


def walk(schema: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every key below the schema, by its dotted path, and its own schema."""
    for name, node in schema.get("properties", {}).items():
        key = f"{prefix}{name}"
        yield key, node
        for inner in (node, *node.get("anyOf", ())):
            yield from walk(inner, f"{key}.")
            yield from walk(inner.get("items", {}), f"{key}[].")


def _without_required(schema: dict[str, Any]) -> dict[str, Any]:
    made = copy.deepcopy(schema)
    for _, node in [("", made), *walk(made)]:
        node.pop("required", None)
    return made
