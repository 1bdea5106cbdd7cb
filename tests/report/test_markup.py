"""What comes from elsewhere is text on a page, whatever it holds."""

from __future__ import annotations

from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from pipeline.report import markup
from pipeline.report.markup import both, element

HOSTILE = st.one_of(
    st.text(max_size=40),
    st.text(st.characters(categories=["Cs", "Cc", "Lo"]), max_size=8),
    st.sampled_from(
        ['"><script>alert(1)</script>', "' onload='x", "</title><img src=x>", "&lt;", "中文 ]]>"]
    ),
)


class Seen(HTMLParser):
    """The tags, attributes and text that a browser would find."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keeps what an element begins with."""
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        """Keeps what is text."""
        self.text += data


def seen(text: str) -> Seen:
    """What a browser finds in the text."""
    parser = Seen()
    parser.feed(text)
    parser.close()
    return parser


@given(HOSTILE, HOSTILE)
def test_no_text_becomes_markup(text: str, value: str) -> None:
    """One element with one attribute and one text, each as it was, and all of it UTF-8."""
    made = element("p", text, title=value)

    found = seen(made)
    assert found.tags == ["p"]
    assert found.attributes == [("title", markup.clean(value))]
    assert found.text.replace("\r\n", "\n") == markup.clean(text).replace("\r\n", "\n")
    made.encode("utf-8")


def test_markup_stays_markup_and_only_that() -> None:
    """An element within another is kept; the sum of two is text again, and is escaped."""
    inner = element("b", "x")

    assert element("p", inner) == "<p><b>x</b></p>"
    assert element("p", inner + inner) == "<p>&lt;b&gt;x&lt;/b&gt;&lt;b&gt;x&lt;/b&gt;</p>"


def test_both_languages_stand_side_by_side() -> None:
    """Without any choice the reader has English and Chinese, with a dot between."""
    assert seen(both("epoch", "轮")).text == "epoch · 轮"
