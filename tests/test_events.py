"""What the page on watching says of events is what the code writes."""

from __future__ import annotations

import ast
import dataclasses
import json
import re
from pathlib import Path

from pipeline.disk.clock import is_time
from pipeline.hooks import News
from tests.running import go, make_job

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "watching.md").read_text("utf-8")


def rows_after(heading: str) -> dict[str, str]:
    """The rows of the first table there: what stands first, and the second column."""
    part = PAGE.split(heading, 1)[1]
    table = re.search(r"^\|.*?(?=^\s*$)", part, re.M | re.S)
    assert table
    rows = [[cell.strip() for cell in line.split("|")[1:3]] for line in table[0].splitlines()]
    return {first: second for first, second in rows[2:]}


def emitted() -> set[str]:
    """The name of every event that some line of ours writes."""
    found = set()
    for path in (ROOT / "pipeline").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            is_call = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
            if not is_call or node.func.attr != "event":
                continue
            names = [a.value for a in node.args if isinstance(a, ast.Constant)]
            # log.event itself is called once, with a name that comes from elsewhere.
            found |= {name for name in names if isinstance(name, str)}
            assert names or path.name == "context.py"
    return found


def test_every_event_is_described_and_none_besides() -> None:
    """The table names what the code emits."""
    assert {name.strip("`") for name in rows_after("## events.jsonl")} == emitted()


def test_every_field_of_the_news_is_described() -> None:
    """The last table names what a hook is told."""
    described = re.findall(r"`(\w+)`", " ".join(rows_after("### A function of yours")))

    assert sorted(described) == sorted(field.name for field in dataclasses.fields(News))


def test_every_line_is_one_object_with_the_fields_described(tmp_path: Path) -> None:
    """A whole job's events can be read by a machine, in the order of their times."""
    outcome = go(make_job(tmp_path, stages=("fetch", "extract", "tests.running.make", "export")))

    described = {n.strip("`"): c for n, c in rows_after("## events.jsonl").items()}
    lines = (outcome.folder / "events.jsonl").read_text("utf-8").splitlines()
    events = [json.loads(line) for line in lines]
    assert (events[0]["event"], events[-1]["event"]) == ("run_started", "run_ended")
    assert all(is_time(event["time"]) for event in events)
    assert sorted(event["time"] for event in events) == [event["time"] for event in events]
    for event in events:
        fields = set(event) - {"time", "event"}
        named = set(re.findall(r"`(\w+)`", described[event["event"]]))
        assert fields <= named or "…" in described[event["event"]], event
