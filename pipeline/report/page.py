"""The page of one run: report.html, made of what lies in its folder."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pipeline.disk.files import human_bytes, write_atomically
from pipeline.manifest import Manifest
from pipeline.messages.console import human_seconds
from pipeline.report import contents, curves, frame, gallery, matrix, settings, timeline
from pipeline.report.contents import Contents, Reader, reader_of
from pipeline.report.frame import Section
from pipeline.report.markup import Html, Node, both, element, joined
from pipeline.report.tables import facts, folded

FILE_NAME = "report.html"

_STATUS = {
    "complete": both("complete", "已完成"),
    "failed": both("failed", "失败"),
    "interrupted": both("interrupted", "已中断"),
    "running": both("running", "运行中"),
    "waiting": both("waiting", "等待中"),
    "pruned": both("pruned", "已剪枝"),
}
_METRICS = {
    "accuracy": both("test accuracy", "测试准确率"),
    "loss": both("test loss", "测试损失"),
    "train_accuracy": both("training accuracy", "训练准确率"),
    "train_loss": both("training loss", "训练损失"),
}
_MOST_METRICS = 6


def write(folder: Path, manifest: Manifest) -> Path:
    """The folder holds the page of its run, and is not touched where it is that already."""
    path, text = folder / FILE_NAME, made(manifest, reader_of(folder))
    if not _holds(path, text):
        write_atomically(path, text)
    return path


def made(manifest: Manifest, read: Reader) -> str:
    """The page of the run whose files are read so; the same files make the same page."""
    found = contents.take(manifest, read)
    sections = [section for section in _sections(found) if section.content]
    return frame.page(found.manifest.run_id, _head(found), sections)


def status_badge(status: str) -> Html:
    """The word for how something ended, in its colour."""
    kind = status if status in _STATUS else "other"
    return element("span", _STATUS.get(status, status), class_=f"badge {kind}")


def _holds(path: Path, text: str) -> bool:
    try:
        return path.read_bytes() == text.encode("utf-8")
    except OSError:
        return False


def _sections(found: Contents) -> Iterator[Section]:
    yield Section("curves", both("Learning curves", "学习曲线"), curves.section(found))
    if found.results and found.results.confusion_matrix:
        content = matrix.section(found.results)
        yield Section("matrix", both("Confusion matrix", "混淆矩阵"), content)
    if found.samples:
        content = gallery.section(found.samples)
        yield Section("samples", both("Samples", "样本"), content)
    yield Section("timeline", both("Timeline", "时间线"), timeline.section(found))
    yield Section("settings", both("Configuration", "配置"), settings.section(found))
    yield Section("environment", both("Environment", "环境"), _environment(found))
    yield Section("repeat", both("Run it again", "再次运行"), _commands(found))


def _head(found: Contents) -> Html:
    manifest = found.manifest
    job = " · ".join(filter(None, (manifest.job.get(n) for n in ("mode", "model", "dataset"))))
    parts = [
        element("h1", manifest.run_id),
        element("p", status_badge(manifest.status), " ", job, class_="what"),
        element("div", *_figures(found), class_="figures"),
    ]
    if manifest.error:
        parts.append(_error(manifest))
    for name in found.problems:
        problem = both(
            f"{name} cannot be read; what it tells is missing here.",
            f"无法读取 {name}，此处缺少其内容。",
        )
        parts.append(element("p", problem, class_="problem"))
    return joined(parts)


def _figures(found: Contents) -> Iterator[Html]:
    """The numbers that people look for first."""
    metrics = found.manifest.metrics
    names = [n for n in (*_METRICS, *metrics) if n in metrics]
    for name in list(dict.fromkeys(names))[:_MOST_METRICS]:
        value = metrics[name]
        is_share = "accuracy" in name and 0 <= value <= 1
        yield frame.figure(f"{value:.2%}" if is_share else f"{value:.4g}", _METRICS.get(name, name))
    end = curves.end_of(found)
    if end:
        count = f"{end.epochs} / {end.planned}" if end.planned else str(end.epochs)
        yield frame.figure(count, both("epochs", "轮"))
    seconds = timeline.worked_s(found.manifest)
    yield frame.figure(human_seconds(seconds), both("in its stages", "各阶段用时"))


def _error(manifest: Manifest) -> Html:
    error = manifest.error
    if error is None:
        return Html("")
    where = both(f"in stage {error.stage}", f"阶段 {error.stage}") if error.stage else None
    if manifest.status == "interrupted":
        # Nothing is wrong with it, and the name of the exception tells nobody anything.
        return element("div", element("strong", error.message, " ", where), class_="problem")
    title = element("strong", error.type, " ", where)
    return element("div", title, element("pre", error.message), class_="error", role="alert")


def _environment(found: Contents) -> Html:
    manifest, start = found.manifest, found.start
    told, launch = manifest.environment, manifest.launch
    project, machine = _part(start, "project"), _part(start, "machine")
    known: dict[str, Node] = {
        both("started", "开始"): timeline.short_time(manifest.started),
        both("attempt", "第几次"): str(manifest.attempt) if manifest.attempt > 1 else None,
        both("cluster", "集群"): _words(launch, "cluster", "detected_by"),
        both("device", "设备"): _words(told, "device"),
        both("processes", "进程数"): _words(launch, "ranks"),
        both("host", "主机"): _words(told, "host", "system"),
        both("processor", "处理器"): _processor(machine, told),
        "MindSpore": _words(told, "mindspore"),
        "Python": _words(told, "python"),
        "NumPy": _words(told, "numpy"),
        both("code", "代码"): _code_of(project, told),
        both("variables", "环境变量"): _pairs(_part(told, "variables")),
        both("data", "数据"): _inputs(manifest),
    }
    packages = start.get("packages")
    listed = Html("")
    if isinstance(packages, list) and packages:
        title = both(f"{len(packages)} packages", f"{len(packages)} 个软件包")
        listed = folded(title, element("p", ", ".join(map(str, packages)), class_="packages"))
    return joined([facts(known), listed])


def _commands(found: Contents) -> Html:
    manifest, project = found.manifest, _part(found.start, "project")
    again = shlex.join(["python", "run.py", "repeat", manifest.run_id])
    parts: list[Html] = []
    if manifest.status == "complete":
        note = both(
            "The same job once more, beside this one, and whether it came out the same:",
            "重新运行同一作业并比较结果是否一致：",
        )
        parts += [element("p", note), element("pre", again, tabindex=0)]
    if manifest.command:
        is_over = manifest.status == "complete"
        note = (
            both("The command of this run:", "本次运行的命令：")
            if is_over
            else both("This command goes on where it stopped:", "以下命令从中断处继续：")
        )
        parts += [element("p", note), element("pre", manifest.command, tabindex=0)]
    code = list(_way_back(project, manifest.run_id))
    if code:
        note = both("The code as it was:", "当时的代码：")
        parts += [element("p", note), element("pre", "\n".join(code), tabindex=0)]
    return joined(parts)


def _way_back(project: Mapping[str, Any], run_id: str) -> Iterator[str]:
    if project.get("commit"):
        yield f"git checkout {project['commit']}"
        name = _part(project, "diff").get("name")
        if name:
            yield shlex.join(["git", "apply", f"{run_id}/{name}"])


def _code_of(project: Mapping[str, Any], told: Mapping[str, Any]) -> str:
    commit = str(project.get("commit") or told.get("git_commit") or "")[:12].rstrip("+")
    is_dirty = bool(project.get("is_dirty")) or str(told.get("git_commit")).endswith("+")
    branch = f" ({project['branch']})" if project.get("branch") else ""
    return f"{commit}{branch}{' + changes' if is_dirty else ''}" if commit else ""


def _processor(machine: Mapping[str, Any], told: Mapping[str, Any]) -> str:
    cores = machine.get("usable_cores") or told.get("cores")
    words = [machine.get("processor") or told.get("machine"), f"{cores} cores" if cores else None]
    return ", ".join(str(word) for word in words if word)


def _inputs(manifest: Manifest) -> str:
    found = []
    for item in manifest.inputs:
        size, sha256 = item.get("size_bytes"), str(item.get("sha256") or "")[:12]
        words = (str(item.get("name")), human_bytes(size) if isinstance(size, int) else "")
        found.append(", ".join(filter(None, (*words, f"sha256 {sha256}…" if sha256 else ""))))
    return "; ".join(found)


def _pairs(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in values.items())


def _words(holder: Mapping[str, Any], *names: str) -> str:
    return ", ".join(str(holder[name]) for name in names if holder.get(name))


def _part(holder: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = holder.get(name)
    return found if isinstance(found, Mapping) else {}
