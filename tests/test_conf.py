"""Every YAML file of the configuration: it composes, and it explains itself."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import yaml

from pipeline import cli
from tests.jobs import ROOT, composed

pytestmark = pytest.mark.usefixtures("quick_jobs")

CONF = ROOT / "conf"
FILES = sorted(CONF.rglob("*.yaml"))
RECIPES = sorted((CONF / "experiment").glob("*.yaml"))
# What a mode that starts from weights needs beside its own name.
NEEDS = {"mode": ["mode.checkpoint=x"], "mode/script": ["mode.command=true"]}


def name_of(path: Path) -> str:
    """The file's path below conf/."""
    return path.relative_to(CONF).as_posix()


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_file_composes(path: Path) -> None:
    """Choosing the file gives a job that is right."""
    group = path.parent.relative_to(CONF).as_posix()
    choice = [] if group == "." else [f"{group}={path.stem}"]

    needs = NEEDS.get(f"{group}/{path.stem}", NEEDS.get(group, []))

    job = composed(*choice, *needs).job

    part = getattr(job, group, None)
    assert getattr(part, "name", path.stem) == path.stem


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_file_begins_with_the_command_that_uses_it(path: Path) -> None:
    """The first line says what the file is, and its command works."""
    # Hydra reads its own header only above everything else.
    lines = path.read_text(encoding="utf-8").splitlines()
    first = next(line for line in lines if not line.startswith("# @package"))
    said = re.fullmatch(r"# \S.*: python run\.py ?(.*)", first)

    assert said
    composed(*shlex.split(said[1]))
    if path.parent != CONF:
        assert f"{path.parent.name}={path.stem}" in said[1]


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_every_value_is_explained(path: Path) -> None:
    """A comment stands beside each value, or above it; names and targets speak for themselves."""
    silent, lines = [], path.read_text(encoding="utf-8").splitlines()
    # What follows is Hydra's help, or a cluster's table of a platform's names.
    ends = [n for n, line in enumerate(lines) if line.startswith(("hydra:", "launch:"))]
    for number, line in enumerate(lines[: ends[0] if ends else None]):
        value = re.match(r" *(?:- )?(\w+): +(?!#)\S", line)
        speaks = value and value[1] in ("name", "_target_", "stages", "url")
        is_reference = "${" in line
        above = lines[number - 1].lstrip().startswith("#")
        if value and not speaks and not is_reference and " # " not in line and not above:
            silent.append(line)

    assert silent == []


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_file_is_plain(path: Path) -> None:
    """YAML as everybody reads it: a mapping, no tabs, nothing of one person's machine."""
    text = path.read_text(encoding="utf-8")

    assert isinstance(yaml.safe_load(text), dict)
    assert "\t" not in text
    assert not re.search(r"/home/|/Users/|/root/", text)


@pytest.mark.usefixtures("signals_as_they_were")
@pytest.mark.parametrize("path", RECIPES, ids=name_of)
def test_a_recipe_can_be_planned(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`plan` tells each stage of every recipe, and writes nothing."""
    monkeypatch.setattr("sys.argv", ["run.py"])
    monkeypatch.chdir(tmp_path)
    places = [f"cluster.{name}_dir={name}" for name in ("data", "output")]
    # What the platform brings where a model was selected.
    weights = [] if "train" in path.stem.split("_")[1:] else ["--ckpt_url=s3://bucket/lenet.ckpt"]

    code = cli.main(["plan", f"experiment={path.stem}", *places, *weights], ROOT)

    said = capsys.readouterr()
    planned = [
        line.split()[0] for line in said.out.partition("\n\n")[2].splitlines() if line[:1] > " "
    ]
    assert code == 0, said.err
    assert planned == list(composed(f"experiment={path.stem}").job.mode.stages)
    assert list(tmp_path.iterdir()) == []
