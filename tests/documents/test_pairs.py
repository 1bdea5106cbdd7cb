"""The English and the Chinese page of a pair hold the same."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from tests.documents.pages import (
    CHINESE,
    PAGES,
    blocks_of,
    headings_of,
    images_of,
    inline_commands,
    links_of,
    name_of,
    prose_of,
)
from tests.documents.pages import (
    PAIRS as ALL_PAIRS,
)

# The page of keys is made from the comments in conf/; the Chinese one says how to read it.
PAIRS = [pair for pair in ALL_PAIRS if pair[0].name != "configuration.md"]
both = pytest.mark.parametrize(("english", "chinese"), PAIRS, ids=lambda path: name_of(path))


def without_comments(text: str) -> list[str]:
    """The block's lines as a program reads them: words for people may be in either language."""
    lines = (re.sub(r"(^|\s+)# .*$", "", line).rstrip() for line in text.splitlines())
    return [line for line in lines if line]


def plain_links(path: Path) -> Counter[str]:
    """Where the page leads to, whatever the language there, but for the switch of languages."""
    links = (re.sub(r"\.zh-CN(?=\.\w)", "", link).partition("#")[0] for link in links_of(path))
    own = path.name.replace(CHINESE, ".md")
    return Counter(link for link in links if link not in ("", own))


def rows_of(path: Path) -> list[tuple[int, str]]:
    """Every row of a table: how many cells it has, and the names of code in its first."""
    rows = re.findall(r"^\|(.*)\|$", prose_of(path), re.M)
    cells = [re.split(r"(?<!\\)\|", row) for row in rows]
    return [(len(row), " ".join(re.findall(r"`[^`]*`", row[0]))) for row in cells]


def items_of(path: Path) -> list[int]:
    """How many items each list has."""
    marks = [bool(re.match(r"\s*(-|\d+\.) ", line)) for line in prose_of(path).splitlines()]
    return [sum(marks)]


@both
def test_both_have_the_same_headings(english: Path, chinese: Path) -> None:
    """The same questions, in the same order, at the same depth."""
    levels = [[level for level, _ in headings_of(path)] for path in (english, chinese)]

    assert levels[0] == levels[1]


@both
def test_both_print_the_same_blocks(english: Path, chinese: Path) -> None:
    """Commands, YAML and output are the same to the letter; comments may be translated."""
    printed = [
        [(block.language, without_comments(block.text)) for block in blocks_of(path)]
        for path in (english, chinese)
    ]

    assert printed[0] == printed[1]


@both
def test_both_lead_to_the_same_pages(english: Path, chinese: Path) -> None:
    """The same links and pictures, each page's in its own language where that is there."""
    assert plain_links(english) == plain_links(chinese)
    assert len(images_of(english)) == len(images_of(chinese))


@both
def test_both_have_the_same_tables_and_lists(english: Path, chinese: Path) -> None:
    """The same rows, named by the same code, and as many items."""
    assert rows_of(english) == rows_of(chinese)
    assert items_of(english) == items_of(chinese)


@both
def test_both_name_the_same_commands(english: Path, chinese: Path) -> None:
    """A command within a sentence stands in both."""
    assert Counter(inline_commands(english)) == Counter(inline_commands(chinese))


@both
def test_each_leads_to_the_other(english: Path, chinese: Path) -> None:
    """A reader changes the language with one click, at the top of the page."""
    first = [path.read_text(encoding="utf-8")[:400] for path in (english, chinese)]

    assert f"[中文]({chinese.name})" in first[0]
    assert f"[English]({english.name})" in first[1]


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_links_stay_in_the_language(path: Path) -> None:
    """A Chinese page leads to Chinese ones where they exist, an English one to English ones."""
    is_chinese = path.name.endswith(CHINESE)
    wrong = []
    for link in links_of(path):
        file = link.partition("#")[0]
        target = (path.parent / file).resolve()
        other = target.with_name(target.name.replace(".md", CHINESE))
        is_switch = target.name.replace(CHINESE, ".md") == path.name.replace(CHINESE, ".md")
        if is_switch and target.parent == path.parent:
            continue
        if is_chinese and file.endswith(".md") and not file.endswith(CHINESE) and other.exists():
            wrong.append(link)
        if not is_chinese and file.endswith(CHINESE):
            wrong.append(link)

    assert wrong == []
