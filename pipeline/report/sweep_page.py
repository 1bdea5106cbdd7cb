"""The page of a sweep: report.html beside its sweep.json."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from pipeline.disk.files import write_atomically
from pipeline.messages.console import human_seconds
from pipeline.report import frame, parallel, sweep_charts, sweep_record, timeline
from pipeline.report.contents import text_of
from pipeline.report.frame import Section
from pipeline.report.markup import Html, Node, both, element, joined
from pipeline.report.page import FILE_NAME, status_badge
from pipeline.report.sweep_record import Row, SweepRecord
from pipeline.report.tables import facts, table

_MOST_ROWS = 300


def write(record_path: Path) -> Path:
    """The page lies beside the record of its sweep.

    Raises:
        SweepRecordError: the record cannot be read.
        DiskFullError: the disk has no space for it.
    """
    record, path = sweep_record.read(record_path), record_path.with_name(FILE_NAME)
    write_atomically(path, made(record, record_path.parent))
    return path


def made(record: SweepRecord, folder: Path) -> str:
    """The page as it will lie in this folder, from which it leads to the pages of the runs."""
    rows, keys = sweep_record.rows(record, folder), sweep_record.swept_keys(record)
    sections = [section for section in _sections(record, rows, keys) if section.content]
    return frame.page(record.sweep_id, _head(record, rows, keys), sections)


def _sections(record: SweepRecord, rows: Sequence[Row], keys: Sequence[str]) -> Iterator[Section]:
    yield Section("jobs", both("Jobs", "作业"), _jobs(record, rows, keys))
    yield Section("failures", both("Failures", "失败"), _failures(rows, keys))
    effect = sweep_charts.effects(rows, keys, record.metric)
    yield Section("effects", both("What each key does", "各参数的影响"), effect)
    lines = parallel.draw(rows, keys, record.metric)
    yield Section("parallel", both("All keys at once", "全部参数"), lines)
    yield Section("curves", both("Learning curves", "学习曲线"), sweep_charts.curves(rows))
    yield Section("record", both("The sweep", "参数搜索"), _record(record))


def _head(record: SweepRecord, rows: Sequence[Row], keys: Sequence[str]) -> Html:
    best = next((row for row in rows if row.place == 1), None)
    done = sum(row.job.status == "complete" for row in rows)
    failed = sum(row.job.status == "failed" for row in rows)
    figures = [frame.figure(f"{done} / {len(rows)}", both("jobs complete", "作业完成"))]
    if failed:
        figures.append(frame.figure(str(failed), both("failed", "失败")))
    if best is not None and best.value is not None:
        name = both(f"best {record.metric}", f"最佳 {record.metric}")
        figures.insert(0, frame.figure(f"{best.value:.5g}", name))
    seconds = sum(row.job.seconds or 0.0 for row in rows)
    figures.append(frame.figure(human_seconds(seconds), both("in all jobs", "作业总用时")))
    parts = [
        element("h1", record.sweep_id),
        element("p", status_badge(record.status), " ", record.engine, class_="what"),
        element("div", *figures, class_="figures"),
    ]
    if best is not None:
        words = both(f"Best: job {best.job.number}", f"最佳：作业 {best.job.number}")
        chosen = element("code", sweep_record.shown(best.job.overrides, keys))
        parts.append(element("p", words, " ", chosen if keys else None))
    return joined(parts)


def _jobs(record: SweepRecord, rows: Sequence[Row], keys: Sequence[str]) -> Html:
    kept = [row for i, row in enumerate(rows) if i < _MOST_ROWS or row.job.status == "failed"]
    heads: list[Node] = [both("place", "名次"), both("job", "作业"), both("status", "状态")]
    heads += [element("code", key) for key in keys]
    heads += [record.metric, both("seconds", "秒"), both("page", "报告")]
    cells = [_cells(row, keys) for row in kept]
    last = len(heads) - 1
    found = table(heads, cells, numbers=(0, 1, last - 2, last - 1), class_="jobs")
    if len(kept) == len(rows):
        return found
    english = f"{len(kept)} of {len(rows):,} jobs; all of them are in sweep.json."
    note = both(english, f"显示 {len(rows):,} 个作业中的 {len(kept)} 个，全部见 sweep.json。")
    return joined([found, element("p", note)])


def _cells(row: Row, keys: Sequence[str]) -> list[Node]:
    job = row.job
    link = element("a", both("open", "打开"), href=row.link) if row.link else None
    return [
        None if row.place is None else str(row.place),
        str(job.number),
        status_badge(job.status),
        *(text_of(job.overrides[key], 80) if key in job.overrides else None for key in keys),
        None if row.value is None else f"{row.value:.5g}",
        None if job.seconds is None else f"{job.seconds:.1f}",
        link,
    ]


def _failures(rows: Sequence[Row], keys: Sequence[str]) -> Html:
    parts = []
    for row in rows:
        cause = row.job.error
        if cause is None:
            continue
        where = both(f"in stage {cause.stage}", f"阶段 {cause.stage}") if cause.stage else None
        number = both(f"Job {row.job.number}", f"作业 {row.job.number}")
        chosen = element("code", sweep_record.shown(row.job.overrides, keys))
        title = element("div", element("strong", number, ": ", cause.type), " ", where, " ", chosen)
        parts.append(element("div", title, element("pre", cause.message), class_="error"))
    return joined(parts)


def _record(record: SweepRecord) -> Html:
    direction = both("more is better", "越大越好")
    if record.direction == "min":
        direction = both("less is better", "越小越好")
    known: dict[str, Node] = {
        both("started", "开始"): timeline.short_time(record.started),
        both("finished", "结束"): timeline.short_time(record.finished or ""),
        both("engine", "执行方式"): record.engine,
        both("metric", "指标"): joined([record.metric, ", ", direction]),
    }
    parts = [facts(known)]
    if record.command:
        note = both("This command runs it, or goes on with it:", "以下命令运行或继续：")
        parts += [element("p", note), element("pre", record.command, tabindex=0)]
    return joined(parts)
