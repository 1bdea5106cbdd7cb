"""Credentials stay out of sight."""

from __future__ import annotations

import contextlib
import io
import json
import shlex
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.messages.log import to_folder
from pipeline.messages.masking import (
    SECRET_VARIABLES,
    fingerprint,
    learn,
    learn_secret,
    mask,
    mask_url,
    masked,
)
from pipeline.running import opening, preparation, steps
from pipeline.stage import find_all
from pipeline.starting import commands, views
from tests.jobs import composed, read

SECRET = st.text("abcdefXYZ0123456789%&=+/~-_.:;,!*()@'", min_size=8).map(lambda t: f"{t}hidden")
USER = st.text("abcdefXYZ0123456789%&=+~-_.:;,!*()@", min_size=1).map(lambda t: f"hidden{t}")
ODD = st.text("abcXYZ019 '\"<>()[]{}%&=+~-_.,:;!*|`^\\\\中", max_size=12)
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


def written_about(url: str, folder: Path) -> str:
    """The plan, the record and the configuration of a job whose archive lies at the URL."""
    argv = (
        "--text", f"dataset.archives.0.url={url}", "mode.stages=[fetch,extract]",
        f"cluster.data_dir={folder}/data", f"cluster.output_dir={folder}/outputs",
    )  # fmt: skip
    found, said = composed(*argv), io.StringIO()
    context = preparation.prepare(found.job, commands.resume(read(*argv), "run.py"))
    stages, _ = find_all(found.job.mode.stages)
    decided = steps.foresee(stages, context)
    with contextlib.redirect_stdout(said):
        views.show_plan(context, decided, is_result=True, news=context.manifest.command)
    opening.open_folder(context, found.mapping)
    to_folder(None)
    # Changes that nobody has committed yet are as they are.
    files = [path for path in context.folder.iterdir() if path.is_file() and path.suffix != ".diff"]
    assert {"config.yaml", "manifest.json"} <= {path.name for path in files}
    return said.getvalue() + "".join(path.read_text(encoding="utf-8") for path in files)


@pytest.mark.usefixtures("quick_jobs")
@settings(max_examples=25)
@given(ODD, ODD, ODD.map(lambda text: text.replace(":", "").replace("[", "").replace("]", "")))
def test_no_odd_url_shows_its_secrets(path: str, query: str, user: str) -> None:
    """Blanks, quotes, brackets: neither plan, nor command, nor record tells query or password."""
    url = f"https://{user}hidden1:{user}hidden2@host/{path}/a.zip?{query}hidden3{query}"
    with tempfile.TemporaryDirectory() as folder:
        text = written_about(url, Path(folder))

    assert "hidden" not in text
    assert "a.zip" in text


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://me:hid/den@h/a.zip", "https://***@h/a.zip"),
        ("https://me:hid?den@h/a.zip", "https://***@"),
        ("https://me@ho:hid?den@h/a.zip", "https://***@"),
        ("https://h/it's <a> b.zip?hidden", "https://h/it's <a> b.zip?***"),
        ("obs://b/@scope/a.zip", "obs://b/@scope/a.zip"),
        ("https://h/a,https://me:hidden@k/b", "https://h/a,https://***@k/b"),
        ("/data/a?b", "/data/a?b"),
    ],
)
def test_a_whole_url_is_masked_as_one(url: str, shown: str) -> None:
    """Whatever characters it holds; where a password might end later, more is hidden."""
    assert mask_url(url) == shown
    assert masked({"url": url}) == {"url": shown}


def test_whole_urls_are_told_apart_without_being_shown() -> None:
    """The same URL again is the same; only what has something to hide needs it."""
    url = "https://host/a?Signature=one"
    first = fingerprint(url)

    assert fingerprint(url, like=first) == first
    assert fingerprint(url) != first
    assert any(fingerprint(f"{url}{n}", like=first) != first for n in range(3))
    assert fingerprint("https://host/a") == ""


def test_what_was_learned_is_masked_in_every_spelling() -> None:
    """As JSON, Python and a shell write it, and where its query stands alone."""
    url = "https://host/it's b.zip?Signature=it's \"hidden\" <so>"
    learn({"dataset": {"archives": [{"url": url}]}})
    spelled = [url, json.dumps(url), repr(url), shlex.join([url]), shlex.join([json.dumps(url)])]

    for text in [*spelled, url.partition("?")[2], *[f"see {text} there" for text in spelled]]:
        assert "hidden" not in mask(text)
    assert shlex.split(mask(shlex.join(["a", url]))) == ["a", "https://host/it's b.zip?***"]


@pytest.mark.parametrize("end", ["", "\n", "\r\n", " and more"])
def test_a_secret_is_known_whatever_stands_behind_it(end: str) -> None:
    """A file of variables may leave a line's end there, which no message repeats."""
    learn_secret(f"https://host/send/word-for-tests-{len(end)}-01234{end}")

    assert mask(f"refused: 'word-for-tests-{len(end)}-01234'") == "refused: '***'"


def test_a_word_without_end_takes_no_time() -> None:
    """What a script prints may be a line of millions; the work grows with it, not its square."""
    word = "y" * 2_000_000

    assert mask(f"{word} https://host/a?key") == f"{word} https://host/a?***"


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
