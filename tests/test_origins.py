"""Who set a value."""

from __future__ import annotations

from pathlib import Path

from pipeline.configuration.arguments import Setting
from pipeline.configuration.origins import Origins


def origins(tmp_path: Path) -> Origins:
    """Two files that set mode.epochs, the later one below its package."""
    first, second = tmp_path / "a.yaml", tmp_path / "b.yaml"
    first.write_text("seed: 1\nmode:\n  epochs: 1\n  stages:\n    - fetch\n    - export\n")
    second.write_text("# comment\nepochs: 2\n")
    return Origins(files=lambda: [(first, "", "a.yaml"), (second, "mode", "b.yaml")])


def test_a_value_of_a_file_has_its_line(tmp_path: Path) -> None:
    """The last file that set a key counts, with the line it stands on."""
    found = origins(tmp_path)

    assert found.within("seed").text == "a.yaml line 1"
    assert found.within("mode.epochs").text == "b.yaml line 2"
    assert found.within("mode.stages.1").text == "a.yaml line 6"


def test_what_is_not_there_belongs_to_the_file_around_it(tmp_path: Path) -> None:
    """A key nobody set is told by the nearest thing above it."""
    found = origins(tmp_path)

    assert found.within("mode.momentum").text == "b.yaml"
    assert found.within("nowhere").text == ""


def test_the_command_line_comes_first(tmp_path: Path) -> None:
    """A typed value wins over every file, for the key and all below it."""
    found = origins(tmp_path)
    found.add_settings([Setting("mode.stages=[x]", "mode.stages", "[x]")])

    assert found.within("mode.stages.0").text == "the command line: mode.stages=[x]"
    assert found.is_typed("mode.stages[0]")
    assert not found.is_typed("mode.epochs")


def test_choosing_a_file_is_not_setting_its_values(tmp_path: Path) -> None:
    """What stands in a chosen file was set by that file."""
    found = origins(tmp_path)
    found.add_choices([Setting("mode=b", "mode", "b")])

    assert found.within("mode.epochs").text == "b.yaml line 2"
    assert not found.is_typed("mode.epochs")


def test_a_long_token_is_cut() -> None:
    """Kilobytes of JSON do not fill the screen."""
    found = Origins()
    found.add_settings([Setting("seed=" + "x" * 5000, "seed", "x" * 5000)])

    assert len(found.within("seed").text) < 250


def test_a_file_that_cannot_be_read_keeps_its_name(tmp_path: Path) -> None:
    """Without lines the file itself is the origin."""
    path = tmp_path / "a.yaml"
    path.write_text("a: [")

    found = Origins(files=lambda: [(path, "mode", "a.yaml"), (tmp_path / "b", "seed", "b.yaml")])

    assert found.within("mode.epochs").text == "a.yaml"
    assert found.within("seed").text == "b.yaml"
