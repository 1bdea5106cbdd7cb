"""A bucket reached through the stand-in for moxing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.moxing_double import Double, moxing_double


@pytest.fixture
def double(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Double]:
    """A world with one bucket, `bucket`, and no credentials for another way to it."""
    for name in ("OBS_ENDPOINT", "OBS_ACCESS_KEY_ID", "OBS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    with moxing_double(tmp_path / "world", monkeypatch) as found:
        yield found
