"""Which way leads to a bucket: Huawei's moxing where there is one, else Huawei's OBS SDK."""

from __future__ import annotations

import functools
import logging

from pipeline.errors import ConfigError, DependencyError
from pipeline.storage import moxing
from pipeline.storage.obs import ObsStorage
from pipeline.storage.protocol import Storage
from pipeline.storage.urls import masked

log = logging.getLogger(__name__)

_REMEDY = "PyPI's moxing is an unrelated package; run: pip uninstall moxing."


def open_bucket(url: str, *, stall_s: float) -> Storage:
    """The bucket of an obs:// URL.

    Another package of moxing's name is refused. Where the variables for the SDK are set
    as well, the user has said which way to go: the SDK is taken, with a warning. Where
    they are not, there is no way, and the impostor is the reason to give.

    Raises:
        ConfigError: variables that the SDK needs are not set, or the URL names no bucket.
        DependencyError: there is neither Huawei's moxing nor the SDK.
    """
    if not moxing.is_installed():
        return ObsStorage(url, stall_s=stall_s)
    problem = moxing.problem()
    if not problem:
        return moxing.MoxingStorage(url, stall_s=stall_s)
    try:
        storage = ObsStorage(url, stall_s=stall_s)
    except (ConfigError, DependencyError) as error:
        raise DependencyError(
            f"{masked(url)}: {problem} {_REMEDY} Huawei's exists only inside platform images; "
            f"elsewhere its OBS SDK takes its place: {error}"
        ) from error
    _warn_once(problem)
    return storage


@functools.cache
def _warn_once(problem: str) -> None:
    log.warning("took the OBS SDK, whose variables are set: %s %s", problem, _REMEDY)
