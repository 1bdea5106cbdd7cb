"""The code that the page on one's own code prints works, put where the page says."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import yaml

from pipeline import cli, stage
from pipeline.configuration import arguments, compose
from pipeline.configuration.compose import Composed
from tests.documents.pages import ROOT, Block, blocks_of, text_of

PAGE = ROOT / "docs" / "own-code.md"
NETWORK = '''
class LeafNet:
    """Stands for a network."""

    def __init__(self, hidden, classes):
        self.hidden, self.classes = hidden, classes
'''


def block_with(words: str) -> Block:
    """The one block that holds these words."""
    found = [block for block in blocks_of(PAGE) if words in block.text]
    assert len(found) == 1
    return found[0]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The project that the page draws, made of what it prints."""
    files = {
        "run.py": text_of(ROOT / "examples" / "byo" / "run.py"),
        "conf/model/leafnet.yaml": block_with("name: leafnet").text,
        "conf/mode/with_card.yaml": block_with("name: with_card").text,
        "leaves/__init__.py": "",
        "leaves/loader.py": block_with("def load(").text,
        "leaves/network.py": NETWORK,
        "leaves/card.py": block_with("@stage(").text,
    }
    folder = tmp_path / "my project"
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def composed(project: Path, *argv: str) -> Composed:
    """What the project's run.py makes of the command line."""
    found = arguments.read(argv, commands=cli.COMMANDS, roots=compose.roots(project))
    return compose.compose(found, root=project, current_folder=project)


def test_the_printed_loader_loads(tmp_path: Path) -> None:
    """The loader of the page reads a table, the label last."""
    np.save(tmp_path / "train.npy", np.array([[1.0, 2.0, 0.0], [3.0, 4.0, 1.0]]))
    space: dict[str, object] = {}

    exec(block_with("def load(").text, space)  # the page's own code
    load = space["load"]
    assert callable(load)
    loaded = load([tmp_path], "train", scale=10.0)

    assert loaded.inputs[0].tolist() == [[10.0, 20.0], [30.0, 40.0]]
    assert loaded.labels.tolist() == [0, 1]


def test_the_printed_model_and_mode_compose(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Choices of the printed YAML give a right job, with the printed stage in its place."""
    monkeypatch.syspath_prepend(str(project))

    job = composed(project, "model=leafnet", "mode=with_card").job
    card = stage.find("leaves.card.card")

    assert job.model.name == "leafnet"
    assert job.mode.stages[-2:] == ("leaves.card.card", "export")
    assert card.needs == ("session",)


def test_the_printed_cluster_is_recognised(project: Path) -> None:
    """A cluster with the printed table takes the flags and variables that it names."""
    local = text_of(ROOT / "conf" / "cluster" / "local.yaml")
    whole = local[: local.index("launch:")] + block_with("MY_JOB_ID").text
    whole = whole.replace("name: local", "name: mine").replace("priority: 100", "priority: 5")
    path = project / "conf" / "cluster" / "mine.yaml"
    path.parent.mkdir()
    path.write_text(whole, encoding="utf-8")
    found = arguments.read(
        ["--rounds=7", "--input=s3://bucket/a/"], commands=cli.COMMANDS, roots=compose.roots(ROOT)
    )
    variables = {"MY_JOB_ID": "4", "MY_RESULTS": "s3://bucket/out/"}

    job = compose.compose(found, root=project, current_folder=project, variables=variables).job

    assert job.cluster.name == "mine"
    assert job.mode.epochs == 7
    assert job.cluster.export_url == "obs://bucket/out/"
    assert [archive.url for archive in job.dataset.archives] == ["obs://bucket/a/"]


def test_the_table_of_stages_is_the_code() -> None:
    """Each stage needs and makes what the page says, and none is missing."""
    rows = re.findall(r"^\| `(\w+)` \|(.*?)\|(.*?)\|$", text_of(PAGE), re.M)
    said = {name: tuple(re.findall(r"`(\w+)`", needs + ";" + makes)) for name, needs, makes in rows}

    found = {name: stage.find(name) for name in stage.names()}

    assert said == {name: (*one.needs, *one.makes) for name, one in found.items()}


@pytest.mark.parametrize("name", ["own-data.md", "own-code.md", "editor.md"])
def test_printed_yaml_is_yaml(name: str) -> None:
    """What a page prints as YAML is read as YAML."""
    for language, text in blocks_of(ROOT / "docs" / name):
        if language == "yaml":
            yaml.safe_load(text)
