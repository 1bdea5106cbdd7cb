"""Words for messages."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.messages.spelling import did_you_mean, nearest_or_all, shortened, shown


@settings(max_examples=30)
@given(st.text(max_size=9), st.lists(st.text(max_size=9), max_size=5))
def test_only_options_are_suggested(word: str, options: list[str]) -> None:
    """A suggestion is one of the options, or there is none."""
    said = did_you_mean(word, options)

    assert not said or any(repr(option) in said for option in options)


def test_few_options_are_listed_and_many_are_not() -> None:
    """Up to twenty options fit into a message."""
    assert nearest_or_all("x", ["b", "a"]) == "there is: a, b"
    assert nearest_or_all("x", []) == ""
    assert nearest_or_all("x", [f"option{n}" for n in range(21)]) == ""


@settings(max_examples=50)
@given(st.text(st.characters()))
def test_a_shortened_text_fits_on_a_line(text: str) -> None:
    """Line breaks, control characters and broken Unicode are spelled out."""
    line = shortened(text, longest=40)

    assert len(line) <= 41
    assert line.isprintable()
    assert line.encode("utf-8").decode("utf-8") == line


def test_values_are_shown_as_in_yaml() -> None:
    """A message shows a value as the person would write it."""
    assert [shown(v) for v in (None, False, 3, "x", {"a": None})] == [
        "null",
        "false",
        "3",
        "'x'",
        '{"a": null}',
    ]
