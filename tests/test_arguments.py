"""The command line, taken apart token by token."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.configuration.arguments import Arguments
from tests.jobs import read

# What argv can hold: any text without NUL, bytes that are no UTF-8 as lone surrogates.
ARGV_TEXT = st.text(st.characters(exclude_characters="\0"))


def settings_of(*argv: str) -> list[tuple[str, str, str | None]]:
    """The settings as sign, key and value."""
    return [(s.sign, s.key, s.value) for s in read(*argv).settings]


@given(st.lists(ARGV_TEXT, max_size=6))
def test_any_command_line_can_be_taken_apart(argv: list[str]) -> None:
    """Whatever stands there is read or becomes a mistake; nothing is raised."""
    assert isinstance(read(*argv), Arguments)


@given(ARGV_TEXT)
def test_a_value_is_kept_as_it_is(value: str) -> None:
    """All that follows the first '=' is the value, for settings, flags and exact texts."""
    found = read(f"mode.checkpoint={value}", f"--some_flag={value}", "--text", f"run.id={value}")

    assert [setting.value for setting in found.settings] == [value] * 3
    assert found.mistakes == []


@pytest.mark.parametrize(
    ("token", "setting"),
    [
        ("mode=infer", ("", "mode", "infer")),
        ("+experiment=x", ("+", "experiment", "x")),
        ("++mode.epochs=3", ("++", "mode.epochs", "3")),
        ("~mode.epochs", ("~", "mode.epochs", None)),
        ("dataset.archives[0].url=a=b", ("", "dataset.archives[0].url", "a=b")),
        ("--mode=infer", ("", "mode", "infer")),
        ("-x=3", ("", "x", "3")),
        ("--flag", ("", "flag", None)),
    ],
)
def test_a_token_is_a_setting(token: str, setting: tuple[str, str, str | None]) -> None:
    """Signs, keys and values of each way to write a setting."""
    assert settings_of(token) == [setting]


@pytest.mark.parametrize("value", ["3", "-3", "-1.5e-3", "plan", "a=b", "{'a': 1}", "中文", ""])
def test_a_flag_takes_the_value_that_follows(value: str) -> None:
    """A web form may put name and value into two tokens."""
    assert settings_of("--epochs", value) == [("", "epochs", value)]


@pytest.mark.parametrize("following", ["--other=1", "-m", "--", "mode=infer", "mode.epochs=3"])
def test_a_flag_leaves_what_is_no_value(following: str) -> None:
    """A flag without a value does not swallow the flag or the setting after it."""
    assert read("--flag", following).settings[0].value is None


@pytest.mark.parametrize("flag", ["--i=3", "--hel", "--conf=x", "--multi", "--vers"])
def test_abbreviations_never_match(flag: str) -> None:
    """A platform's flag that begins like one of Hydra's is still the platform's."""
    found = read(flag)

    assert found.hydra_flags == {}
    assert found.settings[0].is_flag


def test_after_two_dashes_nothing_is_a_flag() -> None:
    """`--` ends flags; what follows is read as words."""
    found = read("--", "seed=2", "--seed=3", "--help")

    assert not any(setting.is_flag for setting in found.settings)
    assert [mistake.key for mistake in found.mistakes] == ["--help"]


def test_empty_tokens_mean_nothing() -> None:
    """A form's empty field is passed over."""
    assert read("", "plan", "").commands == ["plan"]


@pytest.mark.parametrize(
    ("argv", "flags"),
    [
        (["-h"], {"--help": ""}),
        (["--cfg", "job", "-p", "mode"], {"--cfg": "job", "--package": "mode"}),
        (["-c=job"], {"--cfg": "job"}),
        (["--info"], {"--info": ""}),
        (["--info", "defaults"], {"--info": "defaults"}),
        (["--info", "mode=infer"], {"--info": ""}),
        (["--info", "plan"], {"--info": ""}),
        (["-sc", "query=bash"], {"--shell-completion": "query=bash"}),
    ],
)
def test_flags_of_hydra(argv: list[str], flags: dict[str, str]) -> None:
    """Hydra's information flags, short and long, with the values that belong to them."""
    found = read(*argv)

    assert found.hydra_flags == flags
    assert found.mistakes == []


@pytest.mark.parametrize(
    ("argv", "word"),
    [
        (["plna"], "did you mean 'plan'"),
        (["train"], "made like mode=train"),
        (["run"], "none: the job is run"),
        (["mode.epochs", "=", "3"], "write mode.epochs=3, no blanks"),
        (["mode.epochs", "=3"], "write mode.epochs=3, no blanks"),
        (["=3"], "no key"),
        (["mode.epochs =3"], "cannot be a key"),
        (["--=3"], "without a name"),
        (["--cfg"], "--cfg job"),
        (["--cfg", "jbo"], "did you mean 'job'"),
        (["--info", "default"], "did you mean 'defaults'"),
        (["--config-dir"], "needs a value"),
        (["--text", "foo"], "key=VALUE"),
        (["--config-path=x"], "--config-dir"),
        (["-cn", "x"], "experiment=NAME"),
        (["-"], "neither a command"),
    ],
)
def test_one_mistake_and_its_remedy(argv: list[str], word: str) -> None:
    """What cannot be understood is said once, with what to write instead."""
    (mistake,) = read(*argv).mistakes

    assert word in str(mistake)


def test_a_web_form_can_ask_for_a_sweep() -> None:
    """It passes a value with every flag."""
    assert read("--multirun=true", "seed=1,2").is_multirun
    assert not read("--multirun=false", "seed=1").is_multirun


def test_folders_and_multirun_stand_anywhere() -> None:
    """Flags of our own may stand before and after everything else."""
    found = read("mode=infer", "--config-dir", "a b", "-m", "-cd=c")

    assert found.config_dirs == ["a b", "c"]
    assert found.is_multirun
