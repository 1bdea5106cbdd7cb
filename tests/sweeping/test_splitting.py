"""What a text sweeps over."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.commands.sweeping.splitting import NoSweepError, Value, values_of

_GROUP = ("lenet5", "mlp", "resnet18", "resnet50")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1", []),
        ("[1,2]", []),
        ("{a: 1, b: 2}", []),
        ("1,2", ["1", "2"]),
        (" 1 , 2 ", ["1", "2"]),
        ("1.10,2", ["1.10", "2"]),
        ("null,1", ["null", "1"]),
        ("[1,2],[3]", ["[1,2]", "[3]"]),
        ('[{"a": 1, "b": 2}],[]', ['[{"a": 1, "b": 2}]', "[]"]),
        ("甲.ckpt,乙=1#.ckpt", ["甲.ckpt", "乙=1#.ckpt"]),
        ("obs://b/x,y", ["obs://b/x", "y"]),
        ("it's,that's", ["it's", "that's"]),
        ("choice(a,b)", ["a", "b"]),
        ("choice(a)", ["a"]),
        ("range(1,4)", ["1", "2", "3"]),
        ("range(0,1,0.25)", ["0.0", "0.25", "0.5", "0.75"]),
        ("range(3,0,-1)", ["3", "2", "1"]),
        ("sort(3,1,2)", ["1", "2", "3"]),
        ("int(1.0,2.0)", ["1", "2"]),
        ("tag(t,choice(1,2))", ["1", "2"]),
        ("glob(resnet*)", ["resnet18", "resnet50"]),
        ("glob(*,exclude=res*)", ["lenet5", "mlp"]),
    ],
)
def test_values(text: str, expected: list[str]) -> None:
    """Hydra's grammar, with what stands between commas kept as it was typed."""
    assert [value.text for value in values_of(text, _GROUP)] == expected


def test_shuffled_values_are_the_same_values() -> None:
    """shuffle() changes the order, nothing else."""
    assert {value.text for value in values_of("shuffle(range(1,9))")} == set("12345678")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("'a,b',c", [Value("a,b", is_exact=True), Value("c")]),
        ('"a,b"', [Value("a,b", is_exact=True)]),
        ("a\\,b,c", [Value("a,b", is_exact=True), Value("c")]),
        ("'it\\'s, so',x", [Value("it's, so", is_exact=True), Value("x")]),
        ("choice('a,b',c)", [Value("a,b", is_exact=True), Value("c")]),
    ],
)
def test_quotes_keep_commas(text: str, expected: list[Value]) -> None:
    """A comma in quotes, or after a backslash, parts nothing; neither is part of the text."""
    assert values_of(text) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1,", "empty value between commas"),
        (",", "empty value between commas"),
        ("1,,2", "empty value between commas"),
        ("interval(0,1)", "no values that could be counted up"),
        ("range(3,1)", "has no values"),
        ("glob(x*)", "there is: lenet5, mlp"),
    ],
)
def test_what_is_no_sweep(text: str, words: str) -> None:
    """What cannot be counted up is refused, with what to write instead."""
    with pytest.raises(NoSweepError, match=words):
        values_of(text, _GROUP)


def test_a_glob_belongs_to_a_group() -> None:
    """Elsewhere there is nothing that it could match."""
    with pytest.raises(NoSweepError, match="list the values"):
        values_of("glob(*)")


@given(st.lists(st.text(st.characters(exclude_characters="'\\"), min_size=1), min_size=2))
def test_quoted_texts_come_through(texts: list[str]) -> None:
    """Any texts in quotes are the values of a sweep, byte for byte."""
    values = values_of(",".join(f"'{text}'" for text in texts))

    assert values == [Value(text, is_exact=True) for text in texts]


@given(st.text())
def test_any_text_is_taken_apart_or_refused(text: str) -> None:
    """Nothing else comes of it."""
    try:
        values_of(text, _GROUP)
    except NoSweepError:
        return
