"""One call of a hook, in the process that is there for nothing else."""

from __future__ import annotations

import json
import os
import sys
import traceback
from types import TracebackType

from pipeline.errors import MindRunError
from pipeline.hooks.news import News
from pipeline.job import component
from pipeline.messages import masking

# Holds what is to be called, with what; not on the command line, which other users can read.
CALL = "MINDRUN_HOOK"


def main() -> None:
    """Calls what the variable names; what it raises ends the process, told in the last line."""
    sys.excepthook = _tell
    asked = json.loads(os.environ.pop(CALL))
    for secret in asked["secrets"]:
        masking.learn_secret(os.environ.get(secret, ""))
    component.build(asked["target"], News(**asked["news"]), **asked["arguments"])


def _tell(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """The whole story, and as the last line what people should read of it."""
    is_ours = isinstance(error, MindRunError)
    words = f"{error}" if is_ours else f"{kind.__name__}: {error}"
    story = "".join(traceback.format_exception(kind, error, trace))
    sys.stderr.write(masking.mask(f"{story}\n{' '.join(words.split())}\n"))
