"""The short text that a chat shows of a run, in English or Chinese."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.errors import HookError
from pipeline.hooks.news import News
from pipeline.messages.console import human_seconds
from pipeline.messages.spelling import did_you_mean, shortened

_WORDS = {
    "en": {
        "running": "started",
        "complete": "complete",
        "interrupted": "interrupted",
        "failed": "failed",
        "run": "run",
        "accuracy": "accuracy",
        "loss": "loss",
        "duration": "duration",
        "stage": "stage",
        "cause": "cause",
        "exported": "exported",
        "host": "host",
        "resume": "resume",
    },
    "zh": {
        "running": "已开始",
        "complete": "已完成",
        "interrupted": "已中断",
        "failed": "失败",
        "run": "运行",
        "accuracy": "准确率",
        "loss": "损失",
        "duration": "用时",
        "stage": "阶段",
        "cause": "原因",
        "exported": "导出位置",
        "host": "主机",
        "resume": "续跑命令",
    },
}
_LONGEST_CAUSE = 600


def text_of(news: News, language: str) -> str:
    """The message, a line for each thing that there is to tell; its first word is MindRun.

    Raises:
        HookError: nobody has written messages in this language.
    """
    if language not in _WORDS:
        question = did_you_mean(language, _WORDS)
        raise HookError(
            f"language {language!r}: expected en or zh{f'; {question}' if question else ''}"
        )
    words = _WORDS[language]
    lines = [f"MindRun: {words.get(news.status, news.status)}"]
    return "\n".join([*lines, *(f"{words[name]}: {text}" for name, text in _facts(news) if text)])


def _facts(news: News) -> Iterator[tuple[str, str]]:
    is_over = news.exit_code is not None
    yield "run", news.run_id
    for name in ("accuracy", "loss"):
        if name in news.metrics:
            yield name, f"{news.metrics[name]:.4f}"
    yield "duration", human_seconds(news.seconds) if is_over else ""
    yield "stage", news.stage
    yield "cause", shortened(" ".join(news.error.split()), _LONGEST_CAUSE)
    yield "exported", news.export_url
    yield "host", news.host
    yield "resume", news.command if is_over and news.status != "complete" else ""
