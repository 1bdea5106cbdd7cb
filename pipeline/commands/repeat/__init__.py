"""`python run.py repeat RUN`: its job once more, under a new id, and whether it came out alike.

What is other than then is told before anything runs; what came out is compared exactly.
"""

from __future__ import annotations

from pipeline.commands.repeat.command import main
from pipeline.commands.repeat.options import read_options

__all__ = ["main", "read_options"]
