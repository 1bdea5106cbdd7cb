"""The page of a run shows all that its folder tells, whatever state that is in."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.report import page
from tests.report.folders import (
    RUN_ID,
    leave_training,
    manifest_in,
    record_of,
    results,
    write,
)
from tests.report.test_markup import HOSTILE, Seen, seen

FILES = ("metrics.jsonl", "metrics.json", "samples.json", "config.yaml", "provenance.json")
OTHERS = ("events.jsonl", "checkpoints/index.json")


def made(folder: Path) -> str:
    """The text of the page of the run in this folder."""
    return page.write(folder, manifest_in(folder)).read_text(encoding="utf-8")


def words_of(text: str) -> str:
    """What people read on the page, blanks aside."""
    body = re.sub(r"<(style|script)>.*?</\1>", "", text, flags=re.DOTALL)
    found = seen(re.sub(r"</(td|th|dt|dd|p|pre|h\d|li|strong|code)>", " ", body)).text
    return " ".join(found.split())


def test_a_training_is_shown_whole(tmp_path: Path) -> None:
    """Curves, matrix, samples, timeline, configuration, environment and commands, all bilingual."""
    text = made(leave_training(tmp_path))

    words = words_of(text)
    for title in (
        *("Learning curves · 学习曲线", "Confusion matrix · 混淆矩阵", "Samples · 样本"),
        *("Timeline · 时间线", "Configuration · 配置", "Environment · 环境"),
    ):
        assert title in words
    assert f"python run.py repeat {RUN_ID}" in words
    assert "git checkout abc" in words
    assert "best: 7" in words
    assert text.count("<svg") == 2
    assert text.count('<img src="data:image/png;base64,') == 2
    assert text.index('class="wrong"') < text.index('<li class="right"')


def test_a_page_names_nothing_beside_itself(tmp_path: Path) -> None:
    """No address is followed, and the page itself forbids it."""
    found = seen(made(leave_training(tmp_path)))

    followed = [v or "" for name, v in found.attributes if name in ("src", "href", "action")]
    assert {address.partition(":")[0][:1] for address in followed} == {"#", "d"}
    assert any("default-src 'none'" in (value or "") for _, value in found.attributes)
    assert "link" not in found.tags


def test_the_same_folder_makes_the_same_page(tmp_path: Path) -> None:
    """Made again it is not even written; what the export adds to the record changes nothing."""
    folder = leave_training(tmp_path)
    path = page.write(folder, manifest_in(folder))
    first, when = path.read_bytes(), path.stat().st_mtime_ns
    later = manifest_in(folder).replaced(finished="2031-01-01T00:00:00.000Z", artifacts=())

    page.write(folder, later)

    assert (path.read_bytes(), path.stat().st_mtime_ns) == (first, when)


def test_what_differs_from_the_defaults_is_told(tmp_path: Path) -> None:
    """The choice, and the key with its value, the default and who set it."""
    words = words_of(made(leave_training(tmp_path)))

    assert "mode.epochs 3 30 the command line" in words
    assert "model lenet5 a choice · 选择 the command line" in words


def test_earlier_starts_are_told(tmp_path: Path) -> None:
    """A run that was killed and went on says how long it had worked before."""
    words = words_of(made(leave_training(tmp_path)))

    assert "2026-01-01 00:00:00 UTC 9.0 s train" in words


def test_a_failed_run_says_why(tmp_path: Path) -> None:
    """Type, stage and message stand at the top, and the command goes on with it."""
    error = {"type": "TrainingError", "message": "the loss is <nan>", "stage": "train"}
    folder = leave_training(tmp_path, status="failed", error=error)

    words = words_of(made(folder))
    assert "TrainingError in stage train · 阶段 train the loss is <nan>" in words
    assert "This command goes on where it stopped" in words
    assert "run.py repeat" not in words


def test_an_early_end_is_told(tmp_path: Path) -> None:
    """Fewer epochs than asked for: stopped early, if that was wanted."""
    early = {"metric": "accuracy", "patience": 3, "min_delta": 0.0}
    config = {"mode": {"name": "train", "epochs": 30, "early_stopping": early}}

    words = words_of(made(leave_training(tmp_path, config=config)))

    assert "Stopped early after 10 of 30 epochs." in words
    assert "stopped early" in words


def test_a_run_of_nothing_but_a_record_has_a_page(tmp_path: Path) -> None:
    """Where nothing else lies in the folder, nothing is shown of it."""
    path = page.write(tmp_path, record_of(stages=[], metrics={}, inputs=[], environment={}))

    text = path.read_text(encoding="utf-8")
    assert RUN_ID in text
    assert "<svg" not in text


@pytest.mark.parametrize("name", [*FILES, *OTHERS])
@pytest.mark.parametrize("content", [b"", b"\xff\x00[", b"[]", b"{}", b'{"a": [1, {}]}', b"null"])
def test_a_damaged_file_costs_its_own_part_only(tmp_path: Path, name: str, content: bytes) -> None:
    """The rest of the page is there, and what cannot be read is named."""
    folder = leave_training(tmp_path)
    (folder / name).write_bytes(content)

    text = made(folder)

    assert "Timeline" in text
    assert text.count("<section") >= 4


@pytest.mark.parametrize("value", [None, "1", [], float("nan"), 10**400, {"a": 1}, -1])
def test_numbers_that_are_none_are_left_out(tmp_path: Path, value: Any) -> None:
    """A row of nonsense, and results of nonsense, leave the page whole."""
    folder = leave_training(tmp_path)
    rows = [{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": value}, {"epoch": value}]
    text = "\n".join(json.dumps(row) for row in rows)
    (folder / "metrics.jsonl").write_text(f"{text}\n[]\n{{", encoding="utf-8")
    write(folder, "metrics.json", {**results(2), "accuracy": value, "loss": value})

    assert "nan" not in words_of(made(folder)).lower()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(HOSTILE, st.integers(0, 10**6))
def test_nothing_in_a_run_becomes_markup(tmp_path: Path, text: str, number: int) -> None:
    """Names, messages, keys and values of others stay text: no element is added to the page."""
    folder = tmp_path / str(number)
    folder.mkdir(exist_ok=True)

    def tags(word: str) -> Seen:
        config = {"mode": {"name": word, "x": {word or "k": word}}}
        yaml_text = json.dumps(config).replace("\\ud", "?d")
        (folder / "config.yaml").write_text(yaml_text, encoding="utf-8")
        row = json.dumps({"epoch": 1, "loss": 1.0, word or "k": 0.5})
        (folder / "metrics.jsonl").write_text(row + "\n", encoding="utf-8")
        start = {
            "settings": [{"key": "mode.x", "default": {"k": word}, "origin": word}],
            "packages": [word],
            "project": {"commit": word or "c", "branch": word},
        }
        write(folder, "provenance.json", {"starts": [start]})
        manifest = record_of(
            command=word or "c",
            job={"mode": word, "model": word},
            error={"type": word, "message": word, "stage": word},
            environment={"host": word or "h", "device": word},
        )
        manifest = manifest.replaced(run_id=word)
        return seen(page.made(manifest, lambda name: _read(folder / name)))

    plain, hostile = tags("zz"), tags(text)

    assert set(hostile.tags) <= set(plain.tags)
    handlers = [name for name, _ in hostile.attributes if name.startswith("on")]
    assert handlers == []
    assert hostile.tags.count("script") == 1
    assert hostile.tags.count("img") == 0


def _read(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def test_credentials_do_not_get_through(tmp_path: Path) -> None:
    """What another version may have left in a file is masked once more."""
    url = "https://host/a.zip?Signature=word-for-tests"
    config = {"mode": {"checkpoint": url}, "dataset": {"api_key": "word-for-tests"}}
    folder = leave_training(tmp_path, config=config, command=f"python run.py a={url}")

    assert "word-for-tests" not in made(folder)


def test_large_things_are_thinned_and_say_so(tmp_path: Path) -> None:
    """Thousands of epochs and classes make a page that is small, and names what is not shown."""
    folder = leave_training(tmp_path, epochs=5000)
    write(folder, "metrics.json", results(1000))

    text = made(folder)

    words = words_of(text)
    assert len(text) < 400_000
    assert "5,000 points, thinned to 500: peaks are kept" in words
    assert "200 of 5,000 epochs; all of them are in metrics.jsonl." in words
    assert "1,000 classes, summed up in 20 groups of neighbours" in words
    assert "999 0 4" in words
    assert "The 50 worst of 1,000 classes" in words


def test_what_the_page_is_made_of_is_packaged() -> None:
    """Style, script and frame lie beside the code wherever that is installed."""
    root = Path(page.__file__).parents[2]
    pyproject = (root / "pyproject.toml").read_text(encoding="utf-8")

    suffixes = {path.suffix for path in (root / "pipeline" / "report" / "assets").iterdir()}

    assert suffixes == {".css", ".html", ".js"}
    assert all(f'"**/*{suffix}"' in pyproject for suffix in suffixes)


def test_an_interrupted_run_is_no_error(tmp_path: Path) -> None:
    """It says in which stage it was stopped, and with what command it goes on."""
    error = {"type": "KeyboardInterrupt", "message": "interrupted (Ctrl-C)", "stage": "train"}
    folder = leave_training(tmp_path, status="interrupted", error=error)

    words = words_of(made(folder))
    assert "interrupted (Ctrl-C) in stage train" in words
    assert "KeyboardInterrupt" not in words
    assert "This command goes on where it stopped" in words
