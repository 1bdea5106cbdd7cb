"""`python run.py bundle`: all that a place without internet needs, as a folder and as a zip.

MindSpore and numpy come with the place's image, and so does moxing, which makes Huawei's
OBS SDK needless there: none of these is taken along.
"""

from __future__ import annotations

from pipeline.commands.bundle.making import Made, main, make
from pipeline.commands.bundle.options import Options, read_options

__all__ = ["Made", "Options", "main", "make", "read_options"]
