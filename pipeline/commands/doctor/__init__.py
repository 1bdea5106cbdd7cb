"""The command `doctor`: what this place is, what is missing, and what to do about it.

    main
    ├── place      cluster, processes, what the launch brought
    ├── software   versions, moxing, the OBS SDK
    ├── ascend     device, cards, CANN, time limits between machines
    └── reach      folders, datasets and export place, asked at once and not for long

Its only writing is one small object at the export place, which it deletes again.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from pipeline import errors
from pipeline.commands.doctor import ascend, place, reach, software
from pipeline.commands.doctor.finding import Finding
from pipeline.configuration.arguments import Arguments
from pipeline.configuration.compose import Composed
from pipeline.messages import console


def main(composed: Composed, found: Arguments) -> int:
    """Tells everything that was found out; `found` is the command line that `composed` is from.

    Returns 1 where something is a problem, else 0.
    """
    job, variables = composed.job, os.environ
    findings = [
        *place.findings(job, variables),
        *ascend.findings(job, found.settings, variables),
        *software.findings(job, variables),
        *reach.findings(job),
    ]
    _show(findings)
    return errors.FAILED if _topics(findings, "problem") else errors.DONE


def _show(findings: Sequence[Finding]) -> None:
    topic_width = max(len(finding.topic) for finding in findings) + 2
    level_width = len("problem") + 2
    for finding in findings:
        start = f"{finding.level:{level_width}}{finding.topic}"
        text = " ".join(finding.text.split())
        width = level_width + topic_width
        console.say_row(start, text, width=width, to_errors=False, is_prose=True)
    console.say("")
    warnings, problems = _topics(findings, "warning"), _topics(findings, "problem")
    parts = [
        f"{console.counted(len(topics), noun)}: {', '.join(dict.fromkeys(topics))}"
        for topics, noun in ((problems, "problem"), (warnings, "warning"))
        if topics
    ]
    style = "bold red" if problems else "bold yellow" if warnings else "bold green"
    console.say("; ".join(parts) or "all is well", style)


def _topics(findings: Sequence[Finding], level: str) -> list[str]:
    return [finding.topic for finding in findings if finding.level == level]
