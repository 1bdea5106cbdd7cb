"""docs/flow.svg: how choices become a job and the job's stages leave results, in both languages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from docs.reference import comments
from docs.reference.drawing import GREEN, PALE, STRONG, Drawing

_FOLDER = Path(__file__).resolve().parents[1]
_WIDTH, _STEP, _BOX = 860, 139, 118
_GROUPS = ("cluster", "dataset", "model", "mode", "device")

_ENGLISH: dict[str, Any] = {
    "title": "How a job flows",
    "typed": ("what you type, or", "the platform's form passes"),
    "groups": "one YAML file of each group",
    "job": ("one frozen job", "all mistakes told at once,", "before the first byte"),
    "fetch": ("archives, folders", "verified"),
    "extract": ("unpacked", "complete or absent"),
    "build": ("data, network,", "weights"),
    "train": ("checkpoints,", "exported as it runs"),
    "evaluate": ("accuracy, loss,", "confusion matrix"),
    "export": ("all there, checked,", "manifest last"),
    "again": "killed at any instant: the same command goes on where it stopped",
}
_CHINESE: dict[str, Any] = {
    "title": "一个作业的流程",
    "typed": ("命令行里写的，或", "平台表单传来的"),
    "groups": "每个配置组选一个 YAML 文件",
    "job": ("一个不可变的作业", "所有错误一次报全，", "此时一个字节都还没下载"),
    "fetch": ("压缩包、目录", "取到并校验"),
    "extract": ("解压：要么完整，", "要么不存在"),
    "build": ("数据、网络、", "初始权重"),
    "train": ("检查点，", "边训练边导出"),
    "evaluate": ("准确率、损失、", "混淆矩阵"),
    "export": ("逐个核对，", "manifest 最后写"),
    "again": "任何时刻被杀掉：同一条命令接着做",
}


def files() -> dict[Path, str]:
    """The pictures by their path."""
    return {
        _FOLDER / "flow.svg": _drawn(_ENGLISH),
        _FOLDER / "flow.zh-CN.svg": _drawn(_CHINESE),
    }


def _drawn(words: dict[str, Any]) -> str:
    drawing = Drawing(_WIDTH, str(words["title"]))
    _draw_choices(drawing, words)
    mode = yaml.safe_load((comments.CONF / "mode" / "train.yaml").read_text(encoding="utf-8"))
    for number, name in enumerate(mode["stages"]):
        x = 16 + number * _STEP
        middle = x + _BOX // 2
        drawing.box(x, 180, _BOX, 74, GREEN)
        drawing.text(middle, 203, name, size=15, anchor="middle")
        for line, text in enumerate(words.get(name, ())):
            drawing.text(middle, 224 + 17 * line, text, size=11, colour=PALE, anchor="middle")
        if number:
            drawing.arrow((x - _STEP + _BOX + 1, 217), (x - 2, 217))
    drawing.text(_WIDTH // 2, 280, str(words["again"]), size=12, colour=PALE, anchor="middle")
    return drawing.svg()


def _draw_choices(drawing: Drawing, words: dict[str, Any]) -> None:
    drawing.box(16, 30, 190, 96)
    drawing.text(111, 56, "python run.py", size=14, anchor="middle")
    drawing.text(111, 76, "mode=train  seed=3", size=13, anchor="middle")
    for line, text in enumerate(words["typed"]):
        drawing.text(111, 97 + 16 * line, text, size=11, colour=PALE, anchor="middle")
    drawing.arrow((207, 78), (248, 78))
    drawing.box(250, 30, 300, 96)
    drawing.text(400, 56, "  ".join(_GROUPS[:3]), size=14, anchor="middle")
    drawing.text(400, 78, "  ".join(_GROUPS[3:]), size=14, anchor="middle")
    drawing.text(400, 106, str(words["groups"]), size=11, colour=PALE, anchor="middle")
    drawing.arrow((551, 78), (592, 78))
    drawing.box(594, 30, 250, 96, STRONG)
    first, *others = words["job"]
    drawing.text(719, 58, first, size=15, anchor="middle")
    for line, text in enumerate(others):
        drawing.text(719, 82 + 17 * line, text, size=11, colour=PALE, anchor="middle")
    drawing.arrow((719, 127), (719, 152), (75, 152), (75, 178))
