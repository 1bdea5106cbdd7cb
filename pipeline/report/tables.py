"""Tables, lists of facts and what is folded away, as HTML."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from pipeline.report.markup import Html, Node, element


def table(
    heads: Sequence[Node],
    rows: Sequence[Sequence[Node]],
    *,
    numbers: Collection[int] = (),
    class_: str = "",
) -> Html:
    """Rows below their heads; it scrolls within itself where it is wider than the page."""
    styles = ["number" if i in numbers else None for i in range(len(heads))]
    head = [element("th", text, scope="col", class_=style) for text, style in zip(heads, styles)]
    body = [
        element("tr", *(element("td", cell, class_=style) for cell, style in zip(row, styles)))
        for row in rows
    ]
    parts = (element("thead", element("tr", *head)), element("tbody", *body))
    return scrolling(element("table", *parts, class_=class_ or None))


def scrolling(content: Html) -> Html:
    """What may be wider than the page, and is moved with the fingers or the arrow keys."""
    return element("div", content, class_="wide", tabindex=0)


def facts(pairs: Mapping[str, Node]) -> Html:
    """Names with what is known of each; those of which nothing is known are left out."""
    known = {name: value for name, value in pairs.items() if value not in (None, "")}
    pairs_ = ((element("dt", name), element("dd", value)) for name, value in known.items())
    return element("dl", *(item for pair in pairs_ for item in pair))


def folded(title: Node, content: Html, *, is_printed: bool = False) -> Html:
    """What is there when somebody asks for it, and on paper where it is worth that."""
    class_ = "printed" if is_printed else None
    return element("details", element("summary", title), content, class_=class_)
