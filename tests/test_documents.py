"""What the documents print is true: commands compose, targets exist, links lead somewhere."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline import arguments, bundle, cli, compose, repeat, runs
from pipeline.sweeping.expanding import expand
from pipeline.sweeping.searching.parting import part
from pipeline.sweeping.searching.preparing import prepare

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = sorted(
    path
    for path in [
        *ROOT.glob("*.md"),
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "pipeline").rglob("*.md"),
        *(ROOT / "examples").rglob("*.md"),
    ]
    if ".venv" not in path.parts
)
LINK = re.compile(r"\[[^\]]*\]\((?!https?://|#)([^)#]+)[^)]*\)")


def commands_of(path: Path) -> Iterator[str]:
    """Every line of a fenced shell block, and every command in a row of a table."""
    text = path.read_text(encoding="utf-8")
    for row in re.findall(r"^\|.*\|$", text, re.M):
        yield from re.findall(r"`(python run\.py[^`]*)`", row)
    for block in re.findall(r"```(?:bash|sh|console)?\n(.*?)```", text, re.S):
        for line in block.splitlines():
            if line.startswith(("python run.py", "make ", ".venv/bin/python run.py")):
                yield line


def home_of(path: Path) -> Path:
    """The project that the document speaks of: the example's own, or this one."""
    return path.parent if (path.parent / "run.py").is_file() else ROOT


COMMANDS = sorted({(command, home_of(path)) for path in DOCUMENTS for command in commands_of(path)})
RUNS = [(command, home) for command, home in COMMANDS if "run.py" in command]
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
    if found.is_multirun and part(found, **place).is_search:
        monkeypatch.chdir(tmp_path)
        parted = part(found, **place)
        assert prepare(parted, root=home, start_file="run.py", known=[]).first.run_id
        return
    jobs = [v.arguments for v in expand(found, **place)] if found.is_multirun else [found]
    composed = [compose.compose(job, **place) for job in jobs]

    assert len(composed) > 1 or not found.is_multirun
    assert all(each.job.run_id and each.notes == [] for each in composed)


@pytest.mark.parametrize("command", MAKES)
def test_printed_target_exists(command: str) -> None:
    """A make target that the documents print stands in the Makefile."""
    target = shlex.split(command, comments=True)[1]

    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(path: Path) -> None:
    """A relative link points to a file of the project."""
    links = LINK.findall(path.read_text(encoding="utf-8"))

    assert [link for link in links if not (path.parent / link.strip()).exists()] == []


def test_readme_names_every_choice() -> None:
    """The table of groups lists exactly what conf/ holds."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| ([^|]+) \|", readme, re.M))

    for group in (ROOT / "conf").iterdir():
        if group.is_dir():
            listed = set(re.findall(r"`(\w+)`", rows[group.name]))
            assert listed == {path.stem for path in group.glob("*.yaml")}


def test_a_printed_dataset_composes(tmp_path: Path) -> None:
    """The whole dataset file that the page on own data shows is one that can be chosen."""
    page = (ROOT / "docs" / "own-data.md").read_text(encoding="utf-8")
    shown = re.search(r"```yaml\n(# .*?)```", page, re.S)
    assert shown
    (tmp_path / "dataset").mkdir()
    (tmp_path / "dataset" / "keras_mnist.yaml").write_text(shown[1], encoding="utf-8")
    tokens = ["dataset=keras_mnist", "--config-dir", str(tmp_path)]

    found = arguments.read(tokens, commands=cli.COMMANDS, roots=compose.roots(ROOT))

    assert compose.compose(found, root=ROOT, current_folder=tmp_path).job.dataset.classes == 10
