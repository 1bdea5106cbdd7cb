"""What a hook is told of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class News:
    """One moment of a run: `event` is start, end or failure; credentials are masked.

    `status` is running, complete, interrupted or failed; `exit_code` is null while it runs;
    `seconds` counts from this start; `command` goes on with the run, or does it again.
    """

    event: str
    run_id: str
    status: str
    attempt: int = 1
    exit_code: int | None = None
    seconds: float = 0.0
    metrics: Mapping[str, float] = field(default_factory=dict)
    error: str = ""
    stage: str = ""
    folder: str = ""
    export_url: str = ""
    host: str = ""
    command: str = ""
    job: Mapping[str, str] = field(default_factory=dict)
