"""The colours of a page can be read, in the light, in the dark and on paper."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipeline import report

CSS = (Path(report.__file__).parent / "assets" / "page.css").read_text(encoding="utf-8")
THEMES = [
    dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,6})", block))
    for block in re.findall(r":root \{(.*?)\}", CSS, re.DOTALL)
]
# As WCAG 2.1 asks for: text, and what is drawn.
TEXT, DRAWN = 4.5, 3.0


def luminance(colour: str) -> float:
    """How bright a colour is, from 0 to 1."""
    digits = colour[1:] if len(colour) == 7 else "".join(digit * 2 for digit in colour[1:])
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """From 1 for equal colours to 21 for black on white."""
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_there_are_three_themes() -> None:
    """Light, dark, and paper."""
    assert len(THEMES) == 3


@pytest.mark.parametrize("theme", THEMES, ids=["light", "dark", "paper"])
def test_every_pair_of_colours_has_contrast(theme: dict[str, str]) -> None:
    """Letters on their grounds, and curves on theirs."""
    letters = [("ink", "card"), ("soft", "card"), ("soft", "ground"), ("soft", "code")]
    letters += [("ink", "bar"), ("ink", "bad-soft"), ("one", "card")]
    letters += [(name, f"{name}-soft") for name in ("good", "bad", "warn")]
    curves = [(name, "card") for name in ("one", "two", "three", "four", "five")]

    weak = [
        (one, other)
        for pairs, least in ((letters, TEXT), (curves, DRAWN))
        for one, other in pairs
        if contrast(theme[one], theme[other]) < least
    ]

    assert weak == []
