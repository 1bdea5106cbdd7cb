"""What the documents say of keys, exit codes and errors is what the code says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from docs.reference import flow, keys, path, rooms, schemas
from pipeline import errors

ROOT = Path(__file__).resolve().parent.parent
CONF = ROOT / "conf"
ERROR_PAGES = ["docs/errors.md", "docs/errors.zh-CN.md"]
YAMLS = sorted(CONF.rglob("*.yaml"))
PICTURES = {**rooms.files(), **flow.files(), **path.files()}
MADE = {**schemas.files(), **keys.files(), **PICTURES}


def schema_of(path: Path) -> Path:
    """The schema that the file names for editors."""
    said = re.search(r"^# yaml-language-server: \$schema=(.*)$", path.read_text("utf-8"), re.M)
    assert said
    return (path.parent / said[1]).resolve()


def checked(text: str, schema: Path) -> None:
    """The YAML keeps to the schema."""
    found: dict[str, Any] = json.loads(schema.read_text("utf-8"))
    jsonschema.Draft7Validator.check_schema(found)
    # YAML 1.1 reads 1_000 as a number, and so does Hydra.
    jsonschema.validate(yaml.safe_load(text), found)


@pytest.mark.parametrize("path", sorted(MADE), ids=lambda path: path.name)
def test_a_made_file_is_up_to_date(path: Path) -> None:
    """Schemas and page are what `make docs` writes now."""
    assert path.read_text("utf-8") == MADE[path], "run: make docs"


@pytest.mark.parametrize("path", YAMLS, ids=lambda path: path.relative_to(CONF).as_posix())
def test_a_file_names_its_schema_and_keeps_to_it(path: Path) -> None:
    """An editor finds the schema of every file, and nothing wrong in it."""
    expected = "config" if path.parent == CONF else path.parent.name

    schema = schema_of(path)

    assert schema.stem == expected
    checked(path.read_text("utf-8"), schema)


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("mode/train", "batch_size: 32", "batch_sizes: 32"),
        ("mode/train", "epochs: 30", "epochs: -1"),
        ("mode/train", "_target_: mindspore.nn.Momentum", "_target_: Momentum"),
        ("device/cpu", "target: CPU", "target: TPU"),
        ("cluster/local", "data_dir: data", "data_dir: 3"),
        ("experiment/mnist_cosine", "epochs: 20", "epochs: many"),
        ("config", "seed: 1", "sede: 1"),
    ],
)
def test_an_editor_marks_what_is_wrong(name: str, right: str, wrong: str) -> None:
    """A wrong key or value is one for the schema too."""
    path = CONF / f"{name}.yaml"
    text = path.read_text("utf-8")
    assert right in text

    with pytest.raises(jsonschema.ValidationError):
        checked(text.replace(right, wrong), schema_of(path))


def test_every_key_is_explained() -> None:
    """No key stands in a schema without a word on it."""
    silent = [
        f"{group}.{key}"
        for group in schemas.GROUPS
        for key, node in schemas.walk(schemas.of_group(group))
        if not node.get("description")
    ]

    assert silent == []


@pytest.mark.parametrize("name", [*ERROR_PAGES, "README.md", "README.zh-CN.md"])
def test_every_exit_code_is_documented(name: str) -> None:
    """The front page and the page of errors have a row for each exit code."""
    page = (ROOT / name).read_text("utf-8")
    codes = {
        value for name, value in vars(errors).items() if name.isupper() and isinstance(value, int)
    }

    assert {int(code) for code in re.findall(r"^\| (\d+) \|", page, re.M)} == codes


@pytest.mark.parametrize("name", ERROR_PAGES)
def test_every_error_is_documented_with_a_remedy(name: str) -> None:
    """The page of errors has a row for each kind of error, and no other."""
    page = (ROOT / name).read_text("utf-8")
    parents = {
        name: {parent.strip() for parent in listed.split(",")}
        for path in (ROOT / "pipeline").rglob("*.py")
        for name, listed in re.findall(r"^class (\w+)\((.*)\):$", path.read_text("utf-8"), re.M)
    }
    ours = {"MindRunError"}
    while new := {name for name in parents if name not in ours and parents[name] & ours}:
        ours |= new
    kinds = {name for name in ours if not name.startswith("_")} - {"MindRunError"}

    assert len(kinds) >= 20
    rows = dict(re.findall(r"^\| `(\w+)` \| .*? \| (.*?) \|$", page, re.M))

    assert rows.keys() == kinds
    assert all(rows.values())
