"""What a typed value becomes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.jobs import composed, mistakes_of

pytestmark = pytest.mark.usefixtures("quick_jobs")

# What argv can hold as text, without what is an interpolation or null by intention.
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1)
JSON_TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
PLAIN = TEXT.filter(lambda text: "${" not in text and text != "null" and not is_path(text))
TRICKY = [
    "中文 数据",
    '{"a": 1}',
    "a=b=c",
    "#x",
    "~",
    "a,b",
    "it's",
    '"quoted"',
    "'quoted'",
    "back\\slash\\\\",
    " blank at both ends ",
    "obs://bucket/key?Signature=a%2Bb&Expires=1",
    "1.10",
    "1e-3",
    "true",
    "None",
    "???",
    "[",
    "{a",
    "$",
    "${x",
    "line\nbreak",
    "a: b",
    "%E4%B8%AD",
    "!!python",
]


def is_path(text: str) -> bool:
    """Whether a checkpoint of this name is a local path, which is made absolute."""
    return "://" not in text and ("/" in text or text.endswith(".ckpt"))


def checkpoint(*argv: str) -> str | None:
    """The job's checkpoint after this command line."""
    return composed(*argv).job.mode.checkpoint


@pytest.mark.parametrize("text", TRICKY)
def test_text_survives(text: str) -> None:
    """A text field holds what was typed, whatever it looks like."""
    argv = [f"mode.checkpoint={text}", f"--unknown_flag={text}", "--text", f"cluster.name={text}"]

    job = composed(*argv).job

    assert job.mode.checkpoint == text
    assert job.platform["unknown_flag"] == text
    assert job.cluster.name == text


@settings(max_examples=25)
@given(PLAIN)
def test_any_text_survives_in_a_text_field(text: str) -> None:
    """`key=value` keeps a text byte for byte."""
    assert checkpoint(f"mode.checkpoint={text}") == text


@settings(max_examples=25)
@given(TEXT.filter(lambda text: not is_path(text)))
def test_any_text_survives_as_exact_text(text: str) -> None:
    """`--text key=VALUE` keeps even null and interpolations as text."""
    assert checkpoint("--text", f"mode.checkpoint={text}") == text


@settings(max_examples=25)
@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_any_text_survives_in_an_unknown_flag(text: str) -> None:
    """A flag that nobody claims keeps its text under platform."""
    assert composed(f"--unknown_flag={text}").job.platform["unknown_flag"] == text


@settings(max_examples=25)
@given(JSON_TEXT, st.booleans())
def test_any_text_survives_in_json(text: str, is_escaped: bool) -> None:
    """Texts inside a JSON list of mappings come through, `$` and `???` too."""
    url = f"s3://bucket/{text}"
    archives = json.dumps([{"url": url, "name": "a.zip"}], ensure_ascii=is_escaped)

    (archive,) = composed(f"dataset.archives={archives}").job.dataset.archives

    assert archive.url == url


@pytest.mark.parametrize(
    ("token", "key", "value"),
    [
        ("mode.epochs=3", "epochs", 3),
        ("mode.learning_rate=1e-3", "learning_rate", 0.001),
        ("mode.learning_rate=1", "learning_rate", 1.0),
        ("mode.checkpoint=null", "checkpoint", None),
        ("mode.checkpoint=\\${x}", "checkpoint", "${x}"),
        ("mode.checkpoint=run-${seed}", "checkpoint", "run-1"),
        ("mode.epochs=${seed}", "epochs", 1),
        ("mode.stages=[fetch,extract]", "stages", ("fetch", "extract")),
        ('mode.stages=["fetch", "extract"]', "stages", ("fetch", "extract")),
        ("mode.stages=['fetch',extract]", "stages", ("fetch", "extract")),
        ("mode.stages.5=mode.export", "stages", None),
    ],
)
def test_typed_values(token: str, key: str, value: Any) -> None:
    """Numbers, null, interpolations and lists mean what they look like."""
    if value is None and key == "stages":
        assert list(mistakes_of(token)) == ["mode.stages.5"]
        return

    assert getattr(composed(token).job.mode, key) == value


@pytest.mark.parametrize(
    ("token", "urls"),
    [
        ("dataset.archives.0.url=obs://b/x", ["obs://b/x"]),
        ("dataset.archives[0].url=obs://b/x=y", ["obs://b/x=y"]),
        ("dataset.archives=[{url: obs://b/x, name: x}]", ["obs://b/x"]),
        ("dataset.archives=[{url:obs://b/x,name:x}]", ["obs://b/x"]),
        ("dataset.archives=[{url: 'obs://数/x', name: 数.zip}]", ["obs://数/x"]),
        (
            'dataset.archives=[{"url":"a://x","name":"x"},{"url":"a://y","name":"y"}]',
            ["a://x", "a://y"],
        ),
    ],
)
def test_lists_of_mappings(token: str, urls: list[str]) -> None:
    """Hydra's grammar, JSON and YAML are all understood where a list is wanted."""
    assert [archive.url for archive in composed(token).job.dataset.archives] == urls


@pytest.mark.parametrize(
    ("token", "names"),
    [("[a,b]", ["a", "b"]), ("a", ["a"]), ("a,b", ["a,b"]), ("[x", ["[x"]), ("3", ["3"])],
)
def test_a_place_is_one_folder_or_a_list(token: str, names: list[str]) -> None:
    """A place may be a text or a list; a text that is no list stays whole."""
    places = composed(f"cluster.data_dir={token}").job.cluster.data_dir

    assert [place.rpartition("/")[2] for place in places] == names


@pytest.mark.parametrize(
    ("token", "remedy"),
    [
        ("mode.epcohs=3", "did you mean 'mode.epochs'?"),
        ("epochs=3", "did you mean 'mode.epochs'?"),
        ("mode.batchsize=3", "did you mean 'mode.batch_size'?"),
        ("dataset.archives.0.nmae=3", "did you mean 'dataset.archives.0.name'?"),
        ("platform.x=3", "+platform.x=VALUE"),
        ("dataset.archives.0.mount=true", "+dataset.archives.0.mount=VALUE"),
        ("~mode.epcohs", "did you mean 'mode.epochs'?"),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest(token: str, remedy: str) -> None:
    """A key that is not there is never made by a slip; the message says how it would be."""
    (mistake,) = mistakes_of(token).values()

    assert "there is no such key" in mistake.problem
    assert remedy in mistake.remedy


@pytest.mark.parametrize(
    "token", ["+device.env.X=3", "+platform.x=3", "++device.env.X=3", "device.env={X: '3'}"]
)
def test_open_mappings_take_new_keys_with_a_plus(token: str) -> None:
    """A plus adds a key where the job has room for any."""
    job = composed(token).job

    assert "3" in (job.device.env.get("X"), job.platform.get("x"))


def test_the_later_of_two_wins() -> None:
    """A key given twice holds what was typed last."""
    assert composed("mode.epochs=1", "mode.epochs=2").job.mode.epochs == 2


def test_deleting_takes_the_value_away() -> None:
    """`~key` leaves the job without that key, and what needs it says so."""
    assert composed("~mode.checkpoint").job.mode.checkpoint is None
    assert "+mode.epochs=VALUE" in mistakes_of("~mode.epochs")["mode.epochs"].remedy


@pytest.mark.parametrize("value", ["[" * 3000, "[" * 3000 + "]" * 3000, "{a:" * 1500])
def test_endless_nesting_is_a_mistake(value: str) -> None:
    """A value that no parser can follow is refused, not a crash."""
    assert "mode.stages" in mistakes_of(f"mode.stages={value}")


def test_a_number_in_the_place_of_a_reference_stays_a_number() -> None:
    """What the reference leads to decides what is typed there, not the reference's own text."""
    job = composed("model.network.classes=12", "dataset.loader.size=28").job

    assert job.model.network.arguments["classes"] == 12
    assert job.dataset.loader.arguments["size"] == 28


def test_text_in_the_place_of_a_reference_to_text_stays_text(tmp_path: Path) -> None:
    """A name that looks like a number is a name; a reference that leads nowhere says nothing."""
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "mine.yaml").write_text(
        "name: mine\nnetwork:\n"
        "  _target_: tests.jobs.anything\n  of: ${dataset.name}\n  to: ${no.where}\n"
    )
    chosen = ("--config-dir", str(tmp_path), "model=mine")

    arguments = composed(*chosen, "model.network.of=1.10", "model.network.to=2").job.model.network

    assert dict(arguments.arguments) == {"of": "1.10", "to": 2}


def test_a_typed_component_is_another_one() -> None:
    """Arguments of the target before are no arguments of this one; without a target they are."""
    first = "mode.schedule={_target_: pipeline.training.schedules.cosine, warmup_epochs: 1}"
    other = "mode.schedule={_target_: pipeline.training.schedules.step, every_epochs: 2}"
    more = "mode.schedule={factor: 0.5}"

    assert composed(first, other).job.mode.schedule.arguments == {"every_epochs": 2}
    assert composed(other, more).job.mode.schedule.arguments == {"every_epochs": 2, "factor": 0.5}


def test_a_key_below_null_is_written_with_what_is_above_it() -> None:
    """There is nothing to add a value to, so the whole mapping is to be given."""
    found = mistakes_of("mode.early_stopping.patience=2")

    assert found["mode.early_stopping.patience"].remedy == (
        "write mode.early_stopping={patience: VALUE}"
    )
