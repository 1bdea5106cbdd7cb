"""Huawei's moxing, which only platform images have, behind processes that can be killed.

Its calls have no time limits, block their thread for good, and may lose errors or bytes: so
each runs in a helper process, is watched from outside, and is looked at when it says that it
is done. Nothing here imports moxing but `child.py`, in that process.
"""

from pipeline.storage.moxing.presence import is_installed, problem
from pipeline.storage.moxing.storage import MoxingStorage

__all__ = ["MoxingStorage", "is_installed", "problem"]
