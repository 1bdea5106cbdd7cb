"""What the documents print is true: commands compose, targets exist, links lead somewhere."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline import cli
from pipeline.commands import bundle, repeat, runs
from pipeline.commands.sweeping.expanding import expand
from pipeline.commands.sweeping.searching import parting, preparing
from pipeline.configuration import arguments, compose
from tests.documents.pages import OURS, PAGES, WRONG, inline_commands, shell_lines

ROOT = Path(__file__).resolve().parent.parent


def commands_of(path: Path) -> Iterator[str]:
    """Every command of ours that stands in a block for the shell, or within a sentence or table."""
    for line in shell_lines(path):
        for part in line.split(" && "):
            if OURS.match(part) or part.startswith("make "):
                yield part
    # What stands in <...>, or is swept by -m alone, is the reader's own.
    yield from (c for c in inline_commands(path) if "<" not in c and not c.endswith(" -m"))


def home_of(path: Path, command: str) -> Path:
    """The project that the command belongs to: the one it names, the example's own, or this one."""
    named = OURS.match(command)
    if named and named[1]:
        return ROOT / named[1]
    return path.parent if (path.parent / "run.py").is_file() else ROOT


COMMANDS = sorted({(said, home_of(path, said)) for path in PAGES for said in commands_of(path)})
RUNS = [(said, home) for said, home in COMMANDS if "run.py" in said and said not in WRONG]
# Whoever has run nothing yet has no latest checkpoint.
PLANS = [c for c, home in RUNS if home == ROOT and re.search(r" plan\b(?!.*latest)", c)]
MAKES = [command for command, _ in COMMANDS if command.startswith("make ")]


def test_documents_show_commands() -> None:
    """The rules below look at something."""
    assert len(RUNS) >= 10
    assert len(MAKES) >= 4


@pytest.mark.parametrize(("command", "home"), RUNS)
def test_printed_command_composes(
    command: str, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command that the documents print is understood, whatever it names."""
    monkeypatch.syspath_prepend(str(home))
    tokens = shlex.split(command, comments=True)[2:]
    if tokens[:1] == ["bundle"]:
        assert bundle.read_options(tokens, tmp_path).target
        return
    if tokens[:1] in (["runs"], ["repeat"]):
        assert (runs if tokens[0] == "runs" else repeat).read_options(tokens)
        return

    found = arguments.read(tokens, commands=cli.COMMANDS, roots=compose.roots(home))
    place = {"root": home, "current_folder": tmp_path}
    if found.is_multirun and parting.part(found, **place).is_search:
        monkeypatch.chdir(tmp_path)
        parted = parting.part(found, **place)
        assert preparing.prepare(parted, root=home, start_file="run.py", known=[]).first.run_id
        return
    jobs = [v.arguments for v in expand(found, **place)] if found.is_multirun else [found]
    composed = [compose.compose(job, **place) for job in jobs]

    assert len(composed) > 1 or not found.is_multirun
    for each in composed:
        assert each.job.run_id
        # What a launch would bring is told, and what nobody knows is told as well.
        assert each.notes == [] or each.job.launched.is_launch
        assert each.mapping["platform"] == {}


@pytest.mark.usefixtures("signals_as_they_were")
@pytest.mark.parametrize("command", PLANS)
def test_printed_plan_is_one(
    command: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A plan that the documents print is told to its end, on a machine where nothing was run."""
    monkeypatch.setattr("sys.argv", ["run.py"])
    monkeypatch.chdir(tmp_path)
    for name in ("OBS_ENDPOINT", "OBS_ACCESS_KEY_ID", "OBS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "http://obs.example.com")
    places = [f"cluster.{name}_dir={name}" for name in ("data", "output")]

    code = cli.main([*shlex.split(command, comments=True)[2:], *places], ROOT)

    assert code == 0, capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", MAKES)
def test_printed_target_exists(command: str) -> None:
    """A make target that the documents print stands in the Makefile."""
    target = shlex.split(command, comments=True)[1]

    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_readme_names_every_choice(name: str) -> None:
    """The table of groups lists exactly what conf/ holds."""
    readme = (ROOT / name).read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| ([^|]+) \|", readme, re.M))

    for group in (ROOT / "conf").iterdir():
        if group.is_dir():
            listed = set(re.findall(r"`(\w+)`", rows[group.name]))
            assert listed == {path.stem for path in group.glob("*.yaml")}


@pytest.mark.parametrize("name", ["own-data.md", "own-data.zh-CN.md"])
def test_a_printed_dataset_composes(name: str, tmp_path: Path) -> None:
    """The whole dataset file that the page on own data shows is one that can be chosen."""
    page = (ROOT / "docs" / name).read_text(encoding="utf-8")
    shown = re.search(r"```yaml\n(# .*?)```", page, re.S)
    assert shown
    (tmp_path / "dataset").mkdir()
    (tmp_path / "dataset" / "keras_mnist.yaml").write_text(shown[1], encoding="utf-8")
    tokens = ["dataset=keras_mnist", "--config-dir", str(tmp_path)]

    found = arguments.read(tokens, commands=cli.COMMANDS, roots=compose.roots(ROOT))

    assert compose.compose(found, root=ROOT, current_folder=tmp_path).job.dataset.classes == 10
