"""A stand-in for Huawei's moxing whose copy is the fastest that Python has.

What is measured beside it then pays for nothing but its own work.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from types import SimpleNamespace

__version__ = "fast"


def _copy(source: str, target: str) -> None:
    root = Path(os.environ["MOXING_DOUBLE_ROOT"])
    shutil.copyfile(root / source[len("obs://") :], target)


file = SimpleNamespace(copy=_copy)
