"""Whether there is a moxing, and whether it is Huawei's."""

from __future__ import annotations

import functools
import importlib.util

from pipeline.errors import StorageError
from pipeline.storage.moxing.helper import Helper, helpers


def is_installed() -> bool:
    """Whether `import moxing` would find something; told in a moment, without importing it."""
    return _origin() is not None


def problem() -> str:
    """Why the moxing that is installed cannot be Huawei's; empty when it is.

    A helper process imports it, once, and is then kept for use.
    """
    return _problem_of(_origin() or "")


def _origin() -> str | None:
    """Where moxing would be imported from; empty for a folder that only has its name."""
    try:
        spec = importlib.util.find_spec("moxing")
    except ValueError:  # something in this process has put a module there that is from no file
        return None
    return None if spec is None else spec.origin or ""


@functools.cache
def _problem_of(origin: str) -> str:
    name = f"the moxing in {origin or 'a folder without code'}"
    try:
        helper = Helper(where=name)
    except StorageError as error:
        return str(error)
    if helper.is_genuine:
        helpers.keep(helper)
        return ""
    helper.end()
    return f"{name} has no file.copy_parallel, so it is not Huawei's."
