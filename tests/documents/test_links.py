"""Links, anchors and pictures lead somewhere, and every page can be reached."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.documents.pages import (
    CHINESE,
    PAGES,
    ROOT,
    anchors_of,
    links_of,
    name_of,
    prose_of,
)

_WEB = ("https://", "http://")


def lacking(path: Path, link: str) -> bool:
    """Whether the link's file or heading is not there."""
    file, _, anchor = link.partition("#")
    target = (path.parent / file).resolve() if file else path
    if not target.exists():
        return True
    return bool(anchor) and anchor not in anchors_of(target)


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_links_lead_somewhere(path: Path) -> None:
    """A relative link points to a file of the project, its anchor to a heading there."""
    links = [link for link in links_of(path) if not link.startswith(_WEB)]

    assert [link for link in links if lacking(path, link)] == []


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_addresses_are_whole(path: Path) -> None:
    """A link into the web is encrypted and names a host."""
    links = [link for link in links_of(path) if link.startswith(_WEB)]

    assert [x for x in links if not re.fullmatch(r"https://[\w.-]+\.\w+(/\S*)?", x)] == []


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_files_named_in_the_text_exist(path: Path) -> None:
    """A path of the project between backticks is there, so that a renamed module is noticed."""
    home = path.parent if (path.parent / "run.py").is_file() else ROOT
    named = re.findall(r"`((?:pipeline|conf|tests|docs|examples)/[\w./-]*)`", prose_of(path))

    assert [x for x in named if not (home / x).exists() and not (ROOT / x).exists()] == []


@pytest.mark.parametrize("index", ["README.md", "README.zh-CN.md"])
def test_the_index_names_every_page(index: str) -> None:
    """No page of docs/ can be found by chance only: the index of its language names it."""
    folder = ROOT / "docs"
    is_chinese = index.endswith(CHINESE)
    pages = {path.name for path in folder.glob("*.md")} - {"README.md", "README.zh-CN.md"}
    in_chinese = {name for name in pages if name.endswith(CHINESE)}
    translated = {name.replace(CHINESE, ".md") for name in in_chinese}
    expected = pages - translated if is_chinese else pages - in_chinese

    listed = {link.partition("#")[0] for link in links_of(folder / index)}

    assert expected - listed == set()
