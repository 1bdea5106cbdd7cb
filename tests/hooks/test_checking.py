"""What is refused of hooks before anything runs, and what they leave as it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.messages.masking import mask
from tests.jobs import composed, mistakes_of

pytestmark = pytest.mark.usefixtures("quick_jobs")

WECOM = "_target_: pipeline.hooks.webhook.wecom"


def test_all_mistakes_are_told_at_once() -> None:
    """A moment that there is not, a target that there is not, arguments too many and too few."""
    found = mistakes_of(
        f"hooks={{a: {{{WECOM}, when: [begin], url_env: X}}, b: {{_target_: no.such.thing}}, "
        f"c: {{{WECOM}, url: X}}, d: 4, e: {{when: [end]}}, f: {{{WECOM}s, url_env: X}}}}"
    )

    assert "'begin': expected one of" in found["hooks.a.when.0"].problem
    assert "no module named 'no'" in found["hooks.b._target_"].problem
    assert "has no such argument" in found["hooks.c.url"].problem
    assert "its arguments are (url_env, language)" in found["hooks.c.url"].remedy
    assert "a value is missing" in found["hooks.c.url_env"].problem
    assert "expected a mapping with _target_" in found["hooks.d"].problem
    assert "a value is missing" in found["hooks.e._target_"].problem
    assert "wecom" in found["hooks.f._target_"].remedy


def test_an_address_that_was_typed_is_not_told() -> None:
    """Whoever reads an address can write to the chat: where it does not belong it is hidden."""
    address = "https://hooks.chat.test/services/T0/B0/abcdefg123"

    found = mistakes_of(f'hooks={{a: {{{WECOM}, url: "{address}"}}}}')

    assert "abcdefg123" in str(found["hooks.a.url"])
    assert "abcdefg123" not in mask(str(found["hooks.a.url"]))


def test_the_word_that_yaml_takes_for_true(tmp_path: Path) -> None:
    """Who writes `on` in a file hears of `when`."""
    (tmp_path / "experiment").mkdir()
    told = f"# @package _global_\nhooks:\n  a:\n    {WECOM}\n    url_env: X\n    on: [end]\n"
    (tmp_path / "experiment" / "told.yaml").write_text(told, encoding="utf-8")

    found = mistakes_of("experiment=told", "--config-dir", str(tmp_path))

    assert "expected when: [start, end, failure]" in found["hooks.a"].problem


def test_hooks_are_no_part_of_what_names_a_run() -> None:
    """The same job with hooks, or without TensorBoard, is the same run."""
    plain = composed().job

    told = composed(f"hooks={{a: {{{WECOM}, url_env: X}}}}", "tensorboard=false").job

    assert told.digest == plain.digest
    assert told.hooks["a"].when == ("start", "end", "failure")
    assert told.hooks["a"].arguments == {"url_env": "X"}


def test_one_moment_may_stand_alone() -> None:
    """As text, without a list."""
    job = composed(f"hooks={{a: {{{WECOM}, url_env: X, when: failure}}}}").job

    assert job.hooks["a"].when == ("failure",)
