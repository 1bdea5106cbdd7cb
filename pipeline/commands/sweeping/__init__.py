"""`python run.py -m`: several jobs from one command line, each in a process of its own.

command > composing: expanding > compose all, or say all mistakes
command > course: scheduling (queue, slots, endings) > engines > one process for each job
"""

from __future__ import annotations

from pipeline.commands.sweeping.choosing import main

__all__ = ["main"]
