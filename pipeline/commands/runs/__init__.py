"""`python run.py runs`: past runs listed, one shown, several compared; from what they left.

Nothing is written and no job is composed; an exported place is asked when it is named.
"""

from __future__ import annotations

from pipeline.commands.runs.command import main
from pipeline.commands.runs.finding import find
from pipeline.commands.runs.options import read_options
from pipeline.commands.runs.record import Run

__all__ = ["Run", "find", "main", "read_options"]
