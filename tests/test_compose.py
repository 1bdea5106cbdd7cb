"""From the command line to the frozen job, with all mistakes at once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.jobs import ROOT, composed, mistakes_of

pytestmark = pytest.mark.usefixtures("quick_jobs")

KEYS = ["mode", "mode.epochs", "mode.stages", "dataset.archives", "device.env", "platform", "seed"]
TOKENS = st.one_of(
    st.text(st.characters(exclude_characters="\0"), max_size=20),
    st.builds(
        lambda sign, key, value: f"{sign}{key}={value}",
        st.sampled_from(["", "+", "++", "~", "--", "--text="]),
        st.one_of(st.sampled_from(KEYS), st.text("ab.[]0@/mode", max_size=12)),
        st.one_of(
            st.text(st.characters(exclude_characters="\0"), max_size=12),
            st.text("[]{}:,'\"\\$a1 &*#", max_size=12),
        ),
    ),
)


@settings(max_examples=30)
@given(st.lists(TOKENS, max_size=4))
def test_only_mistakes_are_raised(argv: list[str]) -> None:
    """Any command line composes, or says what is wrong with it."""
    assert isinstance(mistakes_of(*argv), dict)


def test_a_job_without_choices() -> None:
    """Nothing typed gives the defaults of config.yaml."""
    job = composed().job

    assert job.run_id == f"train-lenet5-digits-{job.digest[:8]}"
    assert job.cluster.name == "local"


def test_all_mistakes_at_once() -> None:
    """Wrong choices, keys, values, and wrong words are told together, each at its key."""
    argv = {
        "modle": "mlp",
        "model": "mpl",
        "mode": "trian",
        "mode.epochs": "0",
        "seed": "x",
        "cluster.transfer.retries": "99",
        "device.target": "cpu",
        "run.id": "../x",
    }

    found = mistakes_of(*(f"{key}={value}" for key, value in argv.items()), "foo")

    assert set(found) == {*argv, "foo"}


def test_a_wrong_choice_does_not_blame_the_keys_of_the_right_one() -> None:
    """Values are judged against the choice that was most likely meant."""
    assert list(mistakes_of("model=mpl", "model.network.hidden=[3]")) == ["model"]
    assert list(mistakes_of("model=zzz", "model.network.hidden=[3]")) == ["model"]


@pytest.mark.parametrize("argv", [["mode=infer"], ["--mode=infer"], ["--mode", "infer"]])
def test_a_group_can_be_chosen_in_each_way(argv: list[str]) -> None:
    """Settings and flags name groups alike."""
    assert composed(*argv, "mode.checkpoint=x").job.mode.name == "infer"


def test_the_later_choice_wins() -> None:
    """A group given twice is what was typed last."""
    assert composed("model=mlp", "model=lenet5").job.model.name == "lenet5"


@pytest.mark.parametrize(
    ("argv", "key", "value"),
    [
        (["--epochs=3"], "epochs", 3),
        (["--epochs", "3"], "epochs", 3),
        (["--batch_size=64"], "batch_size", 64),
        (["--mode.epochs=4"], "epochs", 4),
    ],
)
def test_flags_name_keys(argv: list[str], key: str, value: int) -> None:
    """A flag may be a dotted key, or the last part of one below mode or device."""
    assert getattr(composed(*argv).job.mode, key) == value


@pytest.mark.parametrize(
    ("flag", "name", "note"),
    [
        ("--epoch=3", "epoch", "did you mean 'epochs'?"),
        ("--zzzzzz=3", "zzzzzz", "nobody claimed the flag --zzzzzz"),
        ("--i=3", "i", "platform.i"),
        ("--platform=3", "platform", "nobody claimed"),
        ("--env=3", "env", "nobody claimed"),
        ("--a.b[0]=3", "a.b[0]", "nobody claimed"),
        ("--0=3", "0", "nobody claimed"),
    ],
)
def test_an_unknown_flag_never_stops_the_job(flag: str, name: str, note: str) -> None:
    """What a platform adds is kept as text, and told."""
    found = composed(flag)

    assert found.job.platform[name] == "3"
    assert note in found.notes[0]


def test_a_flag_that_is_no_text_is_kept_readably() -> None:
    """Bytes that are no UTF-8 cannot be written to a manifest, so they are spelled out."""
    assert composed("--flag=a\udcff").job.platform["flag"] == "a\\xff"


@pytest.mark.parametrize(
    "token", ["hydra.run.dir=x", "++hydra.run.dir=x", "hydra/launcher=x", "--hydra.verbose=true"]
)
def test_keys_of_hydra_are_refused_with_the_reason(token: str) -> None:
    """Hydra composes here and does nothing else, so its settings would be silently ignored."""
    (mistake,) = mistakes_of(token).values()

    assert "means nothing here" in mistake.problem


@pytest.mark.parametrize("token", ["mode=train,infer", "mode.epochs=1,2"])
def test_several_values_without_a_sweep(token: str) -> None:
    """A list of choices is named for what it is."""
    (mistake,) = mistakes_of(token).values()

    assert "sweep" in str(mistake)


def test_interpolations_that_lead_nowhere() -> None:
    """A reference to nothing is a mistake at its key, with the way to mean the text."""
    (mistake,) = mistakes_of("mode.checkpoint=${nowhere}").values()

    assert mistake.key == "mode.checkpoint"
    assert "--text" in mistake.remedy


@pytest.fixture
def own_conf(tmp_path: Path) -> Path:
    """A conf folder of a user's own, in a place with an awkward name."""
    folder = tmp_path / '我的 conf\'s "x"'
    (folder / "experiment").mkdir(parents=True)
    (folder / "mode").mkdir()
    (folder / "experiment" / "x.yaml").write_text(
        "# @package _global_\ndefaults:\n  - override /model: mlp\nmode:\n  epochs: 3\n",
        encoding="utf-8",
    )
    return folder


@pytest.mark.parametrize("token", ["experiment=x", "+experiment=x", "--experiment=x"])
def test_an_experiment_of_the_users_own(token: str, own_conf: Path) -> None:
    """A --config-dir brings recipes, whatever its folder is called; the plus is accepted."""
    job = composed(token, "--config-dir", str(own_conf)).job

    assert (job.model.name, job.mode.epochs) == ("mlp", 3)


def test_typed_values_beat_an_experiment(own_conf: Path) -> None:
    """What was typed wins over what a recipe says."""
    argv = ["experiment=x", "mode.epochs=4", "model=lenet5", f"--config-dir={own_conf}"]

    job = composed(*argv).job

    assert (job.model.name, job.mode.epochs) == ("lenet5", 4)


def test_a_relative_folder_counts_from_where_the_user_stands(own_conf: Path) -> None:
    """--config-dir and hydra.searchpath are paths of the command line."""
    argv = ["experiment=x", "--config-dir", own_conf.name]

    assert composed(*argv, current_folder=own_conf.parent).job.mode.epochs == 3


def test_the_search_path_of_hydra(own_conf: Path) -> None:
    """hydra.searchpath does what --config-dir does."""
    plain_conf = own_conf.rename(own_conf.parent / "我的 conf")

    assert composed("experiment=x", f"hydra.searchpath=[file://{plain_conf}]").job.mode.epochs == 3


@pytest.mark.parametrize("token", ["--config-dir=nowhere", "hydra.searchpath=[nowhere]"])
def test_a_folder_that_is_not_there(token: str, tmp_path: Path) -> None:
    """A wrong folder is told with its whole path, also when Hydra would pass over it."""
    (mistake,) = mistakes_of(token, current_folder=tmp_path).values()

    assert f"no folder {tmp_path / 'nowhere'}" in mistake.problem


def test_a_file_that_is_hidden_is_told(own_conf: Path) -> None:
    """A file of the user's own that has the name of one of ours would be silently ignored."""
    (own_conf / "mode" / "train.yaml").write_text("name: other\n", encoding="utf-8")

    (note,) = composed(f"--config-dir={own_conf}").notes

    assert "mode/train.yaml is not read" in note


@pytest.mark.parametrize(
    ("content", "problem", "line"),
    [
        (b"name: [x", "cannot be read", "bad.yaml line"),
        (b"name: a\nname: b\n", "duplicate key", "bad.yaml line 2"),
        (b"name: \xff\xfe", "UTF-8", "bad.yaml"),
        (b"- a\n- b\n", "expected a mapping", "bad.yaml"),
        (b"defaults:\n  - nothing\n", "mode/nothing", "mode=bad"),
        (b"", "a value is missing", "bad.yaml"),
    ],
)
def test_a_damaged_file_is_named(content: bytes, problem: str, line: str, own_conf: Path) -> None:
    """A YAML that cannot be used is a mistake with its file, and its line where there is one."""
    (own_conf / "mode" / "bad.yaml").write_bytes(content)

    found = mistakes_of("mode=bad", f"--config-dir={own_conf}")

    assert all(problem in mistake.problem for mistake in found.values())
    assert all(line in mistake.origin for mistake in found.values())
    assert "Config search path" not in str(found)


def test_wrong_values_in_a_file_are_told_with_their_lines(own_conf: Path) -> None:
    """Whoever chose the file, the mistake is in its line."""
    (own_conf / "mode" / "bad.yaml").write_text(
        "name: bad\nstages: [fetch]\nfoo: 3\nepochs: x\nlearning_rate: ???\nmomentum: ${no.x}\n",
        encoding="utf-8",
    )

    found = mistakes_of("mode=bad", f"--config-dir={own_conf}")

    lines = {key: mistake.origin.rpartition("bad.yaml line ")[2] for key, mistake in found.items()}
    assert lines == {
        "mode.foo": "3",
        "mode.epochs": "4",
        "mode.learning_rate": "5",
        "mode.momentum": "6",
    }


def test_mistakes_of_the_command_line_and_of_files_come_together(own_conf: Path) -> None:
    """A file that cannot be read does not hide what else is wrong."""
    (own_conf / "mode" / "bad.yaml").write_text("a: [", encoding="utf-8")

    found = mistakes_of("mode=bad", "model=mpl", "foo", f"--config-dir={own_conf}")

    assert set(found) == {"foo", "model", "configuration"}


def test_a_wrong_job_leaves_nothing_behind(tmp_path: Path) -> None:
    """From the shell: exit code 2, one screen without a traceback, and no file."""
    command = [sys.executable, str(ROOT / "run.py"), "mode=trian", "mode.checkpoint=\udcff中"]

    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, check=False, env={**os.environ, "LC_ALL": "C"}
    )

    text = done.stdout.decode("utf-8") + done.stderr.decode("utf-8")
    assert done.returncode == 2
    assert "did you mean 'train'" in text
    assert "Traceback" not in text
    assert list(tmp_path.iterdir()) == []


def test_what_was_chosen_and_set_is_known_with_its_default() -> None:
    """Choices and keys in their order, with what the files say; values are not repeated."""
    job = composed("model=mlp", "mode.epochs=7", "--learning_rate=0.1", "++device.env.A=b").job

    assert [dict(told) for told in job.launched.settings or ()] == [
        {"key": "model", "choice": "mlp", "origin": "the command line"},
        {"key": "mode.epochs", "default": 30, "origin": "the command line"},
        {"key": "mode.learning_rate", "default": 0.015, "origin": "the command line"},
        {"key": "device.env.A", "origin": "the command line"},
    ]
