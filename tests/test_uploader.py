"""The platform's own uploader: used where it exists, bounded, and never in the way."""

from __future__ import annotations

import logging
import time
from pathlib import Path

import pytest

from pipeline.processes.uploader import Uploader
from pipeline.running import preparation
from tests.running import make_job


def make_program(folder: Path, script: str) -> Path:
    """A program of the platform's, which runs this shell script."""
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "uploader_for_npu"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return program


def test_it_is_called_in_its_own_folder_with_the_output_folder(tmp_path: Path) -> None:
    """As the platform's samples call it; nudges during one upload become one more."""
    told = tmp_path / "told"
    program = make_program(tmp_path / "script", f'echo "$1 $(pwd)" >> {told}; sleep 0.2')
    uploader = Uploader(program, tmp_path / "output")

    for _ in range(5):
        uploader.nudge()
        time.sleep(0.02)
    uploader.finish()

    lines = told.read_text().splitlines()
    assert set(lines) == {f"{tmp_path}/output/ {tmp_path}/script"}
    assert 1 <= len(lines) <= 3


@pytest.mark.parametrize("script", ["echo no place >&2; exit 3", "sleep 30"])
def test_a_failing_or_hanging_uploader_is_told_and_harms_nothing(
    tmp_path: Path, script: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The job goes on; the platform collects the folder at the end anyway."""
    uploader = Uploader(make_program(tmp_path, script), tmp_path, longest_s=0.5)
    started = time.monotonic()

    with caplog.at_level(logging.WARNING):
        logging.getLogger("pipeline").propagate = True
        uploader.nudge()
        uploader.finish()
        time.sleep(0.2)

    assert time.monotonic() - started < 5
    assert "uploader_for_npu" in caplog.text


def test_it_is_used_where_the_platform_collects_and_only_there(tmp_path: Path) -> None:
    """A job with an export place of its own needs no uploader."""
    program = make_program(tmp_path / "script", "true")
    collected = make_job(tmp_path, cluster={"export_url": None, "uploader": str(program)})
    exported = make_job(tmp_path, cluster={"uploader": str(program)})
    missing = make_job(tmp_path, cluster={"export_url": None, "uploader": "/no/such/program"})

    found = [preparation.prepare(job, "x").uploader for job in (collected, exported, missing)]

    assert [uploader is not None for uploader in found] == [True, False, False]
