"""Every line that a document shows for a shell is run or composed by a test, or says why not."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tests.documents.pages import LANGUAGES, OURS, PAGES, blocks_of, name_of, shell_lines

# Composed or looked up by tests/test_documents.py; those of the tour are run, in test_tour.py.
CHECKED = re.compile(OURS.pattern + r"|make \w")
# What no test of this project can or should do, each with its reason.
SHOWN_ONLY = {
    r"git (clone|init|add|commit|push) ": "needs a place of the reader's own",
    r"cd ": "a folder of the reader's own",
    r"source \.venv/bin/activate": "changes the reader's shell",
    r"pip install ": "needs a package registry",
    r"export [A-Z]": "sets what is the reader's own",
    r'eval "\$\(python run\.py --shell-completion install=bash\)"': "run by test_hydra_entry.py",
    r"msrun ": "run by tests of ranks with other numbers",
}


def is_shown_only(line: str) -> bool:
    """Whether a reason says why no test looks at it."""
    return any(re.match(pattern, line) for pattern in SHOWN_ONLY)


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_every_line_is_checked_or_says_why_not(path: Path) -> None:
    """No command stands in a document unseen by the tests."""
    unseen = [
        line
        for line in shell_lines(path)
        for part in line.split(" && ")
        if not CHECKED.match(part) and not is_shown_only(part)
    ]

    assert unseen == []


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_a_block_names_its_language(path: Path) -> None:
    """A shell's lines, output, YAML and Python can be told apart."""
    assert {block.language for block in blocks_of(path)} - LANGUAGES == set()


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_a_line_is_whole_shell(path: Path) -> None:
    """A line can be pasted: its quotes end where they should."""
    for line in shell_lines(path):
        assert shlex.split(line, comments=True) or line.startswith("#")


def test_every_reason_is_needed() -> None:
    """No reason is left over from a command that went."""
    lines = [part for path in PAGES for line in shell_lines(path) for part in line.split(" && ")]

    idle = [p for p in SHOWN_ONLY if not any(re.match(p, line) for line in lines)]

    assert idle == []
