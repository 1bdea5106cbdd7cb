"""What the YAML files of conf/ say beside their values: the one place where a key is explained."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import yaml

CONF = Path(__file__).resolve().parents[2] / "conf"

# The choice whose words are taken first; the others fill in what it does not hold.
FIRST = {
    "cluster": "local",
    "dataset": "digits",
    "device": "cpu",
    "mode": "train",
    "model": "lenet5",
}


def of_group(group: str) -> dict[str, str]:
    """For each key of the group, by its dotted path there, what the files say of it."""
    folder = CONF / group
    first = FIRST.get(group, "")
    files = sorted(folder.glob("*.yaml"), key=lambda path: (path.stem != first, path.name))
    said: dict[str, str] = {}
    for path in files:
        for key, text in of_file(path).items():
            said.setdefault(key, text)
    return said


def of_file(path: Path) -> dict[str, str]:
    """The same for one file; a list's items count as `key[]`."""
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    found = ((key, _beside(lines, number)) for key, number in _keys(yaml.compose(text), ""))
    return {key: said for key, said in found if said}


def _keys(node: yaml.Node | None, prefix: str) -> Iterator[tuple[str, int]]:
    """Every key with the number of its line, from 0."""
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            key = f"{prefix}{name.value}"
            yield key, name.start_mark.line
            yield from _keys(value, f"{key}.")
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _keys(item, f"{prefix.rstrip('.')}[].")


def _beside(lines: list[str], number: int) -> str:
    """The comment on the line, else the whole lines of comment right above it."""
    beside = re.search(r"\s#\s(.*)$", lines[number])
    if beside:
        return beside[1].strip()
    above: list[str] = []
    while number and lines[number - 1].lstrip().startswith("# "):
        number -= 1
        above.insert(0, lines[number].lstrip()[2:].strip())
    # The first lines of a file speak of the file.
    return " ".join(above) if number else ""
