"""What all pages have in common: head, style, the choice of language, sections and their menu."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from string import Template

from pipeline.report.markup import Html, Node, both, element

_ASSETS = Path(__file__).parent / "assets"


@dataclass(frozen=True)
class Section:
    """One part of a page; `name` is its address in the page."""

    name: str
    title: Node
    content: Html


def page(title: str, head: Html, sections: Sequence[Section]) -> str:
    """The whole page as text; it names nothing beside itself."""
    menu = [element("a", one.title, href=f"#{one.name}") for one in sections]
    parts = [
        element("section", element("h2", one.title), one.content, id=one.name) for one in sections
    ]
    return Template(_asset("page.html")).substitute(
        title=element("title", f"{title} · MindRun"),
        style=_asset("page.css"),
        script=_asset("page.js"),
        menu="".join(menu),
        head=head,
        sections="\n".join(parts),
        foot=both("made by MindRun", "由 MindRun 生成"),
    )


def figure(value: str, name: Node) -> Html:
    """One number that people look for first, with what it is below."""
    return element("div", element("b", value), element("span", name), class_="figure")


@cache
def _asset(name: str) -> str:
    return (_ASSETS / name).read_text(encoding="utf-8")
