"""Credentials stay out of sight."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.masking import SECRET_VARIABLES, mask, masked

SECRET = st.text("abcdefXYZ0123456789%&=+/~-_.:;,!*()@'", min_size=8).map(lambda t: f"{t}hidden")
USER = st.text("abcdefXYZ0123456789%&=+~-_.:;,!*()@", min_size=1).map(lambda t: f"hidden{t}")
AROUND = st.sampled_from(["", "got ", "see (", "'", '"', "中文", "a=b,"])


@settings(max_examples=50)
@given(AROUND, st.sampled_from(["https", "s3", "obs", "HTTP"]), SECRET, AROUND)
def test_the_query_of_a_url_is_never_shown(
    before: str, scheme: str, query: str, after: str
) -> None:
    """Whatever stands around it, a signature does not come through."""
    assert "hidden" not in mask(f"{before}{scheme}://host/path/a.zip?{query} {after}")


@settings(max_examples=50)
@given(AROUND, USER, st.sampled_from(["", "/x", "/x?Expires=1"]))
def test_the_user_part_of_a_url_is_never_shown(before: str, user: str, rest: str) -> None:
    """Names and passwords before the host do not come through."""
    assert "hidden" not in mask(f"{before}https://{user}@host{rest}")


@pytest.mark.parametrize("name", SECRET_VARIABLES)
def test_the_values_of_secret_variables_are_never_shown(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A credential from the environment is hidden wherever it turns up."""
    monkeypatch.setenv(name, "word-for-tests")

    assert mask("failed with word-for-tests here") == "failed with *** here"


@pytest.mark.parametrize(
    "name", ["api_key", "password", "OBS_SECRET", "access_token", "token_id", "ak", "SK"]
)
def test_a_value_whose_name_says_secret_is_hidden_whole(name: str) -> None:
    """The name decides where the text looks harmless."""
    assert masked({name: "harmless", "list": [{name: ["x"]}]}) == {
        name: "***",
        "list": [{name: ["***"]}],
    }


def test_harmless_values_stay() -> None:
    """Numbers, null and plain texts are shown as they are."""
    value = {
        "seed": 1,
        "id": None,
        "task": "sketch",
        "tokenizer": "bert",
        "url": "https://host/a.zip",
    }

    assert masked(value) == value
