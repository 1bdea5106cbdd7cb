"""The front page and the first job, followed to the letter by somebody who has a fresh clone."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline import errors
from tests.documents.pages import OURS, ROOT, WRONG, blocks_of
from tests.test_jobs import environment

PAGES = [ROOT / "README.md", ROOT / "docs" / "first-job.md"]
# What `make run` starts; that it makes its environment is seen where CI sets itself up.
MAKE_RUN = "make run"
VARYING = [
    (r"finished .*? ago", r"finished .*? ago"),
    (r"[0-9a-f]{8}(?![\w.])", r"[0-9a-f]{8}"),
    (r"\d+\.\d+", r"\d+\.\d+"),
    (r"…", r".*"),
]


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What git would bring of run.py, conf and pipeline, where the path has a blank and Chinese."""
    place = tmp_path_factory.mktemp("tour") / "我的 clone" / "mindrun"
    ignored = shutil.ignore_patterns("__pycache__", "data", "outputs", "exports")
    for name in ("conf", "examples"):
        shutil.copytree(ROOT / name, place / name, ignore=ignored)
    shutil.copytree(ROOT / "pipeline", place / "pipeline")
    for name in ("run.py", "pip-requirements.txt", "Makefile"):
        shutil.copy(ROOT / name, place)
    return place


@pytest.fixture(scope="module")
def said(clone: Path) -> dict[str, str]:
    """What each command of both pages prints, run in their order; each ends as it should."""
    heard: dict[str, str] = {}
    for page in PAGES:
        for command in commands_in(page):
            words = "python run.py" if command == MAKE_RUN else command
            done = subprocess.run(
                [sys.executable, *shlex.split(words)[1:]],
                cwd=clone,
                env=environment(),
                capture_output=True,
                text=True,
                timeout=900,
                check=False,
            )
            expected = errors.WRONG_JOB if command in WRONG else errors.DONE
            assert done.returncode == expected, (command, done.stderr)
            heard[f"{page.name}: {command}"] = done.stdout + done.stderr
    return heard


def commands_in(page: Path) -> list[str]:
    """The page's commands in the order of reading, without what only sets up a clone."""
    lines = [
        part.partition("  #")[0].strip()
        for language, text in blocks_of(page)
        if language == "bash"
        for line in text.splitlines()
        for part in line.split(" && ")
    ]
    return [line for line in lines if OURS.match(line) or line == MAKE_RUN]


def shown_after(page: Path) -> list[tuple[str, str]]:
    """Each line of printed output, with the command above it."""
    found, command = [], ""
    for language, text in blocks_of(page):
        if language == "bash":
            lines = [line.partition("  #")[0].strip() for line in text.splitlines()]
            command = lines[-1]
        elif language == "text":
            found += [(command, line) for line in text.splitlines() if line]
    return found


def pattern_of(line: str) -> str:
    """The line as a pattern: numbers, digests and folders are each machine's own."""
    parts = re.split("(" + "|".join(shape for shape, _ in VARYING) + ")", line)
    return "".join(
        next((put for shape, put in VARYING if re.fullmatch(shape, part)), re.escape(part))
        for part in parts
    )


@pytest.mark.slow
@pytest.mark.mindspore
def test_every_command_works_as_printed(said: dict[str, str], clone: Path) -> None:
    """Each command of both pages ends as it should, and leaves what the pages say."""
    left = {path.name for path in clone.iterdir()}
    results = {path.name for path in clone.glob("exports/*/*")}

    assert len(said) >= 15
    assert {"data", "outputs", "exports"} <= left
    assert {"manifest.json", "metrics.json", "predictions.csv", "samples.png"} <= results


@pytest.mark.slow
@pytest.mark.mindspore
def test_printed_output_is_real(said: dict[str, str]) -> None:
    """Each line that a page prints as output is one that its command gives."""
    wrong = [
        (command, line)
        for page in PAGES
        for command, line in shown_after(page)
        if not re.search(f"^{pattern_of(line)}$", said[f"{page.name}: {command}"], re.M)
    ]

    assert wrong == []
