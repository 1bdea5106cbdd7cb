"""Log lines: where they go, and what they never carry."""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path

import pytest

from pipeline.messages import log

logger = logging.getLogger("pipeline.tested")


def test_lines_reach_terminal_and_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """INFO is shown as it is; run.log holds DEBUG too, with time in UTC and level."""
    log.to_terminal()
    log.to_folder(tmp_path)

    logger.info("fetched %s", "a.zip")
    logger.debug("already there")

    assert capsys.readouterr().err == "fetched a.zip\n"
    first, second = (tmp_path / "run.log").read_text().splitlines()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ INFO    fetched a.zip", first)
    assert second.endswith("DEBUG   already there")


def test_only_the_last_folder_is_written(tmp_path: Path) -> None:
    """A run that starts anew logs into its new folder alone."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()

    log.to_folder(tmp_path / "a")
    log.to_folder(tmp_path / "b")
    logger.info("here")

    assert (tmp_path / "a" / "run.log").read_text() == ""
    assert "here" in (tmp_path / "b" / "run.log").read_text()


def test_secrets_are_masked_in_tracebacks_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A credential in an exception reaches no file."""
    monkeypatch.setenv("OBS_SECRET_ACCESS_KEY", "secret-word-for-tests")
    log.to_folder(tmp_path)

    logger.debug("ended", exc_info=ValueError("https://h/a?Signature=x secret-word-for-tests"))

    text = (tmp_path / "run.log").read_text()
    assert "https://h/a?*** ***" in text


def test_events_are_json_whatever_is_in_them(tmp_path: Path) -> None:
    """One line per event, with the time in UTC, secrets masked and odd values made plain."""
    log.event(tmp_path, "fetched", url="s3://b/k?token=1", loss=float("inf"), path=tmp_path)

    (line,) = (tmp_path / "events.jsonl").read_text().splitlines()
    found = json.loads(line)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", found.pop("time"))
    assert found == {
        "event": "fetched",
        "url": "s3://b/k?***",
        "loss": None,
        "path": str(tmp_path),
    }


def test_a_half_event_of_a_killed_writer_goes(tmp_path: Path) -> None:
    """Every line of events.jsonl stays readable after a kill in the middle of one."""
    (tmp_path / "events.jsonl").write_text('{"event": "a"}\n{"event": "b", "ti')

    log.event(tmp_path, "c")

    lines = (tmp_path / "events.jsonl").read_text().splitlines()
    assert [json.loads(line)["event"] for line in lines] == ["a", "c"]
