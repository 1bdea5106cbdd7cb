"""Mistakes in a person's words: what, what was expected, where it was set, what to do."""

from __future__ import annotations

import os

import pytest

from pipeline.configuration.validation import probe_components, uncertain_calls
from pipeline.errors import ConfigError
from tests.jobs import composed, mistakes_of

pytestmark = pytest.mark.usefixtures("quick_jobs")


@pytest.mark.parametrize(
    ("token", "key", "problem"),
    [
        ("mode.epochs=0", "mode.epochs", "0: expected at least 1"),
        ("mode.epochs=3.5", "mode.epochs", "3.5: expected a whole number"),
        ("mode.epochs=true", "mode.epochs", "true: expected a whole number"),
        ("mode.momentum=1", "mode.momentum", "1: expected less than 1"),
        ("mode.learning_rate=0", "mode.learning_rate", "0: expected more than 0"),
        ("mode.learning_rate=nan", "mode.learning_rate", "NaN: expected a finite number"),
        ("seed=99999999999", "seed", "99999999999: expected less than 2147483648"),
        ("run.fresh=yes", "run.fresh", "'yes': expected true or false"),
        ("mode.checkpoint=", "mode.checkpoint", "'': expected some text"),
        ("mode.stages=fetch", "mode.stages", "'fetch': expected a list, such as [a,b]"),
        ("mode.stages=[]", "mode.stages", "[]: expected at least one entry"),
        ("mode.stages=[null]", "mode.stages.0", "null: expected text"),
        ("dataset.archives={}", "dataset.archives", "{}: expected a list, such as [a,b]"),
        ("cluster.data_dir={a: 1}", "cluster.data_dir", '{"a": 1}: expected a folder, or a list'),
        ("cluster.data_dir=[a,'']", "cluster.data_dir.1", "'': expected some text"),
        ("dataset.archives.0.sha256=x", "dataset.archives.0.sha256", "'x': expected 64 hex digits"),
        ("dataset.limits=3", "dataset.limits", "3: expected a mapping"),
        ("model.network=3", "model.network", "3: expected a mapping with _target_"),
        ("device.target=cpu", "device.target", "'cpu': expected one of 'CPU', 'GPU' or 'Ascend'"),
        ("device.workers=0", "device.workers", "0: expected at least 1"),
        ("+device.env.A=null", "device.env.A", "null: expected text"),
        ("platform={1: a}", "platform.1", "1: expected text"),
        ("mode.checkpoint=\udcff", "mode.checkpoint", "'\\\\udcff': expected text in UTF-8"),
    ],
)
def test_a_wrong_value(token: str, key: str, problem: str) -> None:
    """The value, what was expected, and the token that set it."""
    (mistake,) = mistakes_of(token).values()

    assert mistake.key == key
    assert mistake.problem.startswith(problem)
    assert mistake.origin.startswith("the command line: ")


@pytest.mark.parametrize(
    ("token", "key", "remedy"),
    [
        ("~mode.epochs", "mode.epochs", "write +mode.epochs=VALUE"),
        ("mode.epochs=null", "mode.epochs", "write mode.epochs=VALUE"),
        ("~seed", "seed", "leave out ~seed"),
        ("~model", "model", "leave out ~model"),
        ("+mode.epohcs=3", "mode.epohcs", "did you mean 'epochs'?"),
        (
            "dataset.archives=[{url: x}]",
            "dataset.archives.0.name",
            "write +dataset.archives.0.name",
        ),
        ("~model.network._target_", "model.network._target_", "write +model.network._target_"),
        ("~model.network.classes", "model.network.classes", "write +model.network.classes=VALUE"),
        ("+model.network.clases=3", "model.network.clases", "did you mean 'classes'?"),
        (
            "model.network._target_=pipeline.models.lenet5.LeNet",
            "model.network._target_",
            "'LeNet5'",
        ),
        (
            "model.network._target_=os.system",
            "model.network._target_",
            "makes datasets or networks",
        ),
        ("dataset.archives.0.name=../x", "dataset.archives.0", ""),
    ],
)
def test_what_to_do(token: str, key: str, remedy: str) -> None:
    """What is missing or misspelled comes with what to write."""
    found = mistakes_of(token)

    assert remedy in found[key].remedy


@pytest.mark.parametrize(
    "url",
    [
        "http://[::1/s.zip",
        "http://..bad/x.zip",
        "https://host:abc/x.zip",
        "https://host:99999/x.zip",
        "https:///x.zip",
        "https://me:hid/den@host/x.zip",
        "HTTPS://me:hid?den@host/x.zip",
    ],
)
def test_a_badly_spelled_url(url: str) -> None:
    """Each is named at its key, all at once, and without its password."""
    keys = ["dataset.archives.0.url", "cluster.export_url", "mode.checkpoint"]

    found = mistakes_of(*[word for key in keys for word in ("--text", f"{key}={url}")])

    assert list(found) == sorted(keys, key=list(found).index)
    for mistake in found.values():
        assert "expected a URL such as https://" in mistake.problem
        assert "hid" not in mistake.problem
        assert "den" not in mistake.problem


def test_a_launch_that_brings_a_badly_spelled_url() -> None:
    """It is named like one that a person typed."""
    found = mistakes_of("cluster=qizhi", "--data_url=http://[::1/s.zip", "mode.stages=[fetch]")

    assert list(found) == ["dataset.archives.0.url"]


@pytest.mark.parametrize(
    "url",
    [
        "https://me:word@host:443/a b?x=[1]",
        "http://[::1]:80/x",
        "http://数据.example/x",
        "obs://b/[x",
        "/data/[::1/x",
        "HTTP://host.",
    ],
)
def test_an_odd_url_is_none_the_worse(url: str) -> None:
    """What can be taken apart is not refused for its looks."""
    assert mistakes_of("--text", f"dataset.archives.0.url={url}") == {}


def test_two_wrong_things_in_one_component() -> None:
    """Each argument has a mistake of its own."""
    found = mistakes_of("+model.network.clases=3", "~model.network.classes")

    assert set(found) == {"model.network.clases", "model.network.classes"}


def test_a_credential_is_not_shown() -> None:
    """A signed URL in the wrong place is told without its signature."""
    (mistake,) = mistakes_of("mode.epochs=https://host/x?Signature=hidden").values()

    assert "hidden" not in mistake.problem


def test_a_long_value_does_not_fill_the_screen() -> None:
    """A mistake is one paragraph, however long the value is."""
    (mistake,) = mistakes_of(f"mode.epochs={'x' * 10_000}").values()

    assert len(str(mistake)) < 600


def test_shipped_components_are_certain_without_importing() -> None:
    """No helper process is needed for what comes with the project."""
    assert uncertain_calls(composed().job) == {}
    probe_components(composed().job, os.environ)


def test_what_only_an_import_tells_is_told_before_anything_runs() -> None:
    """A target that is no callable is found by the helper process, at its key."""
    job = composed("model.network._target_=pipeline.job.component.WHERE").job

    with pytest.raises(ConfigError, match=r"model.network._target_: .* is a str"):
        probe_components(job, os.environ)
