"""One thing found out about this place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warning", "problem"]


@dataclass(frozen=True)
class Finding:
    """What is so, how bad that is, and where it is bad, what to do."""

    level: Level
    topic: str
    text: str


def ok(topic: str, text: str) -> Finding:
    """Something is as it should be."""
    return Finding("ok", topic, text)


def warning(topic: str, text: str) -> Finding:
    """Something may hurt the job, or make it slow."""
    return Finding("warning", topic, text)


def problem(topic: str, text: str) -> Finding:
    """With this the job cannot succeed."""
    return Finding("problem", topic, text)
