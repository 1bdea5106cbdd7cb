"""HTML and SVG made of elements: what is no markup already is escaped, wherever it comes from."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape
from typing import Union

# HTML knows no characters of these numbers, and a file no halves of a surrogate pair.
_NO_TEXT = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
_UNKNOWN = "\ufffd"
_WITHOUT_END = frozenset({"br", "hr", "img", "input", "meta", "link"})


class Html(str):
    """Text that is markup."""

    __slots__ = ()


Node = Union[Html, str, float, None]
"""What may stand in an element: markup, text, a number, or nothing."""


def element(name: str, *children: Node, **attributes: str | float | bool | None) -> Html:
    """One element; `class_` is written for class, and `stroke_width` for stroke-width.

    An attribute that is None or False is left out; one that is True stands without a value.

    >>> element("a", "1 < 2", element("br"), href='x"y', class_="far", hidden=True, title=None)
    '<a href="x&quot;y" class="far" hidden>1 &lt; 2<br></a>'
    """
    words = [name, *(_attribute(key, value) for key, value in attributes.items())]
    start = f"<{' '.join(word for word in words if word)}>"
    if name in _WITHOUT_END:
        return Html(start)
    return Html(f"{start}{joined(children)}</{name}>")


def joined(children: Iterable[Node]) -> Html:
    """These one after another; what is no markup is escaped.

    >>> joined(["<b>", Html("<b>"), None, 0.50])
    '&lt;b&gt;<b>0.5'
    """
    return Html("".join(_text(child) for child in children))


def both(english: Node, chinese: Node) -> Html:
    """The same in English and Chinese, of which the page shows what its reader chooses."""
    return _both("span", english, chinese)


def both_in_svg(english: Node, chinese: Node) -> Html:
    """The same within the text of a picture."""
    return _both("tspan", english, chinese)


def clean(text: str) -> str:
    r"""The text without what neither HTML nor a file in UTF-8 can hold.

    >>> clean("a\0b\udc80c\n")
    'a\ufffdb\ufffdc\n'
    """
    return _NO_TEXT.sub(_UNKNOWN, text)


def _both(name: str, english: Node, chinese: Node) -> Html:
    between = element(name, " · ", class_="sep")
    return joined([element(name, english, lang="en"), between, element(name, chinese, lang="zh")])


def _text(child: Node) -> str:
    if child is None:
        return ""
    if isinstance(child, Html):
        return child
    return escape(clean(_word(child)))


def _attribute(key: str, value: str | float | bool | None) -> str:
    name = key.rstrip("_").replace("_", "-")
    if value is None or value is False:
        return ""
    return name if value is True else f'{name}="{escape(clean(_word(value)))}"'


def _word(value: str | float) -> str:
    """Numbers as short as a picture needs them."""
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
