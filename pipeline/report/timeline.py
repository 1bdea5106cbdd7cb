"""What the run did when: a bar for each stage, and the starts before the last one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pipeline.disk.clock import is_time
from pipeline.manifest import Manifest, StageRecord
from pipeline.messages.console import human_seconds
from pipeline.report.contents import Contents, text_of
from pipeline.report.markup import Html, Node, both, element, joined
from pipeline.report.tables import table

EXPORT = "export"
_STATUS = {
    "done": both("done", "完成"),
    "skipped": both("skipped", "跳过"),
    "failed": both("failed", "失败"),
}
_LONGEST = 120


@dataclass(frozen=True)
class Start:
    """One start of the run, as its events tell: stages by name with the seconds they began at."""

    time: str
    seconds: float
    begun: Mapping[str, float]
    last_stage: str


def stages_shown(manifest: Manifest) -> list[StageRecord]:
    """The stages that the page tells of: of the export, which carries the page, only a failure."""
    return [s for s in manifest.stages if s.name != EXPORT or s.status == "failed"]


def worked_s(manifest: Manifest) -> float:
    """What these stages took together when the run worked last."""
    return sum(stage.seconds for stage in stages_shown(manifest))


def section(contents: Contents) -> Html:
    """One row for each stage, on one scale of time."""
    stages, starts = stages_shown(contents.manifest), list(starts_in(contents.events))
    begun = starts[-1].begun if starts else {}
    spans = list(_spans(stages, begun))
    total = max((start + length for start, length in spans), default=0.0) or 1.0
    rows = [
        element(
            "li",
            element("span", stage.name, class_="stage"),
            _bar(stage, span, total),
            element("span", human_seconds(stage.seconds), class_="seconds"),
            element("span", _STATUS[stage.status], class_=f"badge {stage.status}"),
            element("small", _facts(stage)),
        )
        for stage, span in zip(stages, spans)
    ]
    parts = [element("ol", *rows, class_="timeline")]
    if len(starts) > 1:
        parts.append(_earlier(starts[:-1]))
    return joined(parts)


def starts_in(events: Sequence[Mapping[str, Any]]) -> Iterator[Start]:
    """The starts of the run, oldest first; what an export did is no part of them."""
    bounds = [i for i, event in enumerate(events) if event.get("event") == "run_started"]
    for first, end in zip(bounds, [*bounds[1:], len(events)]):
        found = [event for event in events[first:end] if _is_told(event)]
        if not found:
            continue
        origin = _seconds(found[0])
        begun = [e for e in found if e.get("event") == "stage_started"]
        by_name = {str(e.get("stage")): _seconds(e) - origin for e in begun}
        last = str(begun[-1].get("stage")) if begun else ""
        yield Start(str(found[0]["time"]), _seconds(found[-1]) - origin, by_name, last)


def _is_told(event: Mapping[str, Any]) -> bool:
    is_of_export = event.get("stage") == EXPORT or event.get("event") == "run_ended"
    return not is_of_export and is_time(str(event.get("time")))


def _seconds(event: Mapping[str, Any]) -> float:
    return datetime.fromisoformat(str(event["time"]).replace("Z", "+00:00")).timestamp()


def _spans(
    stages: Sequence[StageRecord], begun: Mapping[str, float]
) -> Iterator[tuple[float, float]]:
    """Where each stage begins and how long it is; one after another where no event tells."""
    end = 0.0
    for stage in stages:
        start = max(0.0, begun.get(stage.name, end))
        yield start, stage.seconds
        end = start + stage.seconds


def _bar(stage: StageRecord, span: tuple[float, float], total: float) -> Html:
    start, length = (min(max(part / total, 0.0), 1.0) for part in span)
    style = f"--start:{start:.4f};--length:{length:.4f}"
    filled = element("i", class_=stage.status, style=style) if stage.seconds else None
    return element("span", filled, class_="track")


def _facts(stage: StageRecord) -> str:
    found = {name: value for name, value in stage.facts.items() if value not in (None, "", [])}
    text = stage.reason or ", ".join(f"{name} {text_of(found[name], 60)}" for name in found)
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _earlier(starts: Sequence[Start]) -> Html:
    heads = [both("start", "启动"), both("worked for", "运行时间"), both("ended in", "结束于")]
    rows: list[list[Node]] = [
        [short_time(start.time), human_seconds(max(start.seconds, 0.0)), start.last_stage]
        for start in starts
    ]
    title = both("Earlier starts, which this one went on from", "此前的启动（本次由此继续）")
    return joined([element("h3", title), table(heads, rows, numbers=(1,))])


def short_time(text: str) -> str:
    """A time of a manifest for people, in UTC.

    >>> short_time("2026-11-29T20:09:50.561Z")
    '2026-11-29 20:09:50 UTC'
    """
    return f"{text[:19].replace('T', ' ')} UTC" if is_time(text) else text
