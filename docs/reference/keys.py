"""docs/configuration.md: every key of the configuration, with its values, default and meaning."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from docs.reference import comments, schemas

_PAGE = Path(__file__).resolve().parents[1] / "configuration.md"
_HEAD = """\
# Every key of the configuration

[中文](configuration.zh-CN.md) · [all pages](README.md)

<!-- Written by `make docs` from the job's types and the comments in conf/; edits are lost. -->

Choose a file of a group with `group=choice`, one key with `key=value`; `python run.py --cfg job`
prints all of them as they stand. A default is that of the choices which count when nothing is
chosen; other choices may hold another. `${...}` takes a value from another key. The same stands in
[schemas/](schemas), which an editor reads by the second line of each file in `conf/`: it completes
keys and marks what is wrong (in VS Code with the extension YAML by Red Hat).
"""
_ABOUT = {
    "cluster": "Where the job runs, and where things land.",
    "dataset": "What data, and how they are read. A loader's arguments stand beside `_target_`.",
    "model": "What network. Its own arguments stand beside its `_target_`.",
    "mode": "What to do. A stage refuses a job that lacks a number it needs.",
    "device": "On what.",
}


def files() -> dict[Path, str]:
    """The page's text by its path."""
    whole = json.loads(next(t for p, t in schemas.files().items() if p.stem == "config"))
    top = {
        name: part
        for name, part in whole["properties"].items()
        if name not in (*schemas.GROUPS, "defaults", "hydra")
    }
    config = yaml.safe_load((comments.CONF / "config.yaml").read_text(encoding="utf-8"))
    sections = [_HEAD, "## The top level\n", _table({"properties": top}, config, "")]
    for group in schemas.GROUPS:
        path = comments.CONF / group / f"{comments.FIRST[group]}.yaml"
        default = yaml.safe_load(path.read_text(encoding="utf-8"))
        sections += [f"## {group}\n", f"{_ABOUT[group]}\n"]
        sections.append(_table(schemas.of_group(group), default, f"{group}."))
    return {_PAGE: "\n".join(sections)}


def _table(schema: dict[str, Any], defaults: Mapping[str, Any], prefix: str) -> str:
    rows = ["| key | values | default | meaning |", "|---|---|---|---|"]
    for key, node in _leaves(schema):
        meaning = node["description"].replace("<", "&lt;")
        cells = f"{prefix}{key}", _values(node), _default(defaults, key, node), meaning
        name, values, default, meaning = (cell.replace("|", "\\|") for cell in cells)
        rows.append(f"| `{name}` | {values} | {default} | {meaning} |")
    return "\n".join(rows) + "\n"


def _leaves(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The keys that hold a value; a part of the job is told by its keys."""
    for key, node in schemas.walk(schema):
        is_part = "properties" in node and "_target_" not in node["properties"]
        if not is_part and key != "defaults" and not key.endswith("._target_"):
            yield key, node


def _values(node: Mapping[str, Any]) -> str:
    options = [option for option in node.get("anyOf", [node]) if option != schemas.REFERENCE]
    return " or ".join(dict.fromkeys(_value(option) for option in options))


def _value(node: Mapping[str, Any]) -> str:
    if "enum" in node:
        return ", ".join(f"`{value}`" for value in node["enum"])
    if "_target_" in node.get("properties", {}):
        return "`_target_` and arguments"
    kind = node.get("type", "any")
    if kind == "array":
        return f"list of {_value(node['items'])}"
    names = {"string": "text", "integer": "whole number", "boolean": "true, false", "null": "null"}
    limits = {"minimum": "from", "exclusiveMinimum": "above", "maximum": "to"}
    limits["exclusiveMaximum"] = "below"
    named = {"object": "mapping", **names}.get(kind, kind)
    told = [f"{word} {_number(node[name])}" for name, word in limits.items() if name in node]
    return " ".join([named, *told])


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1_000_000 else f"{value:g}"


def _default(defaults: Mapping[str, Any], key: str, node: Mapping[str, Any]) -> str:
    """What counts when nothing is chosen; an item of a list has none."""
    if "[]" in key:
        return ""
    value: Any = defaults
    for part in key.split("."):
        if not isinstance(value, Mapping) or part not in value:
            value = node.get("default", "")
            break
        value = value[part]
    text = json.dumps(value, ensure_ascii=False) if value != "" else ""
    return f"`{text}`" if 0 < len(text) <= 60 else "…" if text else ""
