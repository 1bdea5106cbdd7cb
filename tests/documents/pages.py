"""The documents as tests read them: pages, fenced blocks, commands, headings, links."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    path
    for path in [
        *ROOT.glob("*.md"),
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "pipeline").rglob("*.md"),
        *(ROOT / "examples").rglob("*.md"),
    ]
    if ".venv" not in path.parts
)
CHINESE = ".zh-CN.md"
# Each page in Chinese with the English one beside it.
PAIRS = [
    (path.with_name(path.name.replace(CHINESE, ".md")), path)
    for path in PAGES
    if path.name.endswith(CHINESE)
]
# Shown to be refused.
WRONG = {"python run.py mode.epoch=3 model=lenet6"}
LANGUAGES = {"bash", "text", "yaml", "python", "json"}
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
# A command of ours, with the folder of another start file where one is named.
OURS = re.compile(r"(?:\.venv/bin/)?python (?:(\S+)/)?run\.py(?: |$)")
_LINK = re.compile(r"(!?)\[[^\]]*\]\(([^)\s]+)\)")


class Block(NamedTuple):
    """A fenced block: the language named behind its fence, and what it holds."""

    language: str
    text: str


def name_of(path: Path) -> str:
    """The page's path in the project, for a test's name."""
    return path.relative_to(ROOT).as_posix()


def text_of(path: Path) -> str:
    """The page as it stands."""
    return path.read_text(encoding="utf-8")


def blocks_of(path: Path) -> list[Block]:
    """Every fenced block, in order."""
    return [Block(*found) for found in _FENCE.findall(text_of(path))]


def prose_of(path: Path) -> str:
    """The page without its fenced blocks."""
    return _FENCE.sub("", text_of(path))


def shell_lines(path: Path) -> Iterator[str]:
    """Every line that the page shows to be typed into a shell."""
    for language, text in blocks_of(path):
        if language == "bash":
            yield from (line for line in text.splitlines() if line.strip())


def inline_commands(path: Path) -> list[str]:
    """Every command of run.py's that stands between backticks in a sentence or a table."""
    found = re.findall(r"`(python run\.py(?: [^`]*)?)`", prose_of(path))
    return [command.replace("\\|", "|").replace("\n", " ") for command in found]


def headings_of(path: Path) -> list[tuple[int, str]]:
    """Every heading with its level."""
    found = re.findall(r"^(#+) (.*)$", prose_of(path), re.M)
    return [(len(marks), text.strip()) for marks, text in found]


def anchors_of(path: Path) -> set[str]:
    """What may stand behind a # in a link to the page, as GitHub and Gitea make it of headings."""
    plain = (re.sub(r"[^\w\- ]", "", text.lower()) for _, text in headings_of(path))
    return {text.replace(" ", "-") for text in plain}


def links_of(path: Path) -> list[str]:
    """Every target of a link or picture, with its #anchor."""
    return [target for _, target in _LINK.findall(prose_of(path))]


def images_of(path: Path) -> list[str]:
    """Every target of a picture."""
    return [target for mark, target in _LINK.findall(prose_of(path)) if mark]
