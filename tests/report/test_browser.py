"""The pages as a browser shows them: looked at in headless Chromium, where there is one."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from pipeline.report import sweep_page
from tests.report import browser
from tests.report.browser import PHONE_PX, Browser
from tests.report.folders import leave_sweep, leave_training, swept_job

ROOT = Path(__file__).resolve().parents[2]
LARGEST_BYTES = 1_500_000
BLUE, VERMILION = (0, 99, 166), (194, 74, 0)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(browser.found() is None, reason="no Chromium is installed"),
]


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Browser:
    """The browser that is installed."""
    program = browser.found()
    assert program is not None
    return Browser(program, tmp_path_factory.mktemp("browser"))


@pytest.fixture(scope="module")
def training(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a real training of ten epochs, in a place with blanks and Chinese."""
    folder = tmp_path_factory.mktemp("训练 one")
    places = [f"cluster.{name}_dir={folder}/{name}" for name in ("data", "output")]
    command = [sys.executable, str(ROOT / "run.py"), "model=mlp", "mode.epochs=10"]
    values = [
        "mode.evaluate_every=1",
        f"cluster.export_url={folder}/exports",
        "run.id=digits-1",
        "--odd=<b>数字 1",
    ]
    subprocess.run([*command, *values, *places], check=True, cwd=folder, env=_environment())
    yield next(path for path in (folder / "output").iterdir() if (path / "report.html").is_file())
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a sweep of four jobs, one of which failed and one of which has no folder."""
    folder = tmp_path_factory.mktemp("sweep")
    for number in (1, 2):
        leave_training(folder, f"run-{number}")
    cause = {"type": "TrainingError", "message": "the loss is nan", "stage": "train"}
    jobs = [swept_job(number) for number in (1, 2, 3)]
    jobs.append(swept_job(4, status="failed", metrics={}, error=cause))
    for job in jobs:
        job["overrides"] = {**job["overrides"], "mode.batch_size": 16 * job["number"]}
    return sweep_page.write(leave_sweep(folder, jobs))


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def share_of(picture: Image.Image, colour: tuple[int, int, int], near: int = 12) -> int:
    """How many pixels have this colour, or nearly."""
    colours = picture.getcolors(1 << 24) or []
    return sum(
        count
        for count, found in colours
        if all(abs(a - b) <= near for a, b in zip(found[:3], colour))  # type: ignore[index]
    )


def brightness(picture: Image.Image) -> float:
    """From 0 for a black picture to 255 for a white one."""
    grey = picture.convert("L").resize((1, 1), Image.Resampling.BOX)
    return float(grey.getpixel((0, 0)))  # type: ignore[arg-type]


@pytest.mark.mindspore
def test_the_page_of_a_real_training(chromium: Browser, training: Path) -> None:
    """Small, without a word in the console, with curves, matrix, samples; names stay names."""
    page = training / "report.html"

    document, console = chromium.dom(page)
    words = chromium.read(page)

    assert page.stat().st_size < LARGEST_BYTES
    assert console == []
    for title in ("Learning curves", "Confusion matrix", "Samples", "Timeline", "Configuration"):
        assert f"{title}\n" in words
    assert "学习曲线" not in words
    assert document.count("<svg") >= 3
    assert document.count('class="line"') >= 4
    assert document.count("data:image/png;base64") >= 16
    assert "--odd=<b>数字 1" in words
    assert "mode.epochs\t10\t30\tthe command line" in words


@pytest.mark.mindspore
def test_a_real_training_is_seen(chromium: Browser, training: Path) -> None:
    """Curves, heat map and pictures are drawn, in the light and in the dark; nothing sticks out."""
    page = training / "report.html"

    light, dark = chromium.picture(page), chromium.picture(page, is_dark=True)
    told = chromium.on_phone(page)

    assert brightness(light) > 200 > 80 > brightness(dark)
    assert share_of(light, BLUE) > 2000
    assert share_of(light, VERMILION) > 100
    assert len(light.getcolors(1 << 24) or []) > 500
    assert told == {"width": PHONE_PX, "scrolls": PHONE_PX, "out": []}


@pytest.mark.mindspore
def test_a_real_training_made_again_is_the_same(training: Path, tmp_path: Path) -> None:
    """From the finished folder comes the page that was exported, byte for byte."""
    copied = tmp_path / "page.html"
    command = [sys.executable, str(ROOT / "run.py"), "runs", "show", str(training)]

    subprocess.run([*command, f"--report={copied}"], check=True, cwd=tmp_path, env=_environment())

    record = json.loads((training / "manifest.json").read_text(encoding="utf-8"))
    assert "report.html" in [artifact["path"] for artifact in record["artifacts"]]
    assert copied.read_bytes() == (training / "report.html").read_bytes()


def test_the_page_of_a_sweep(chromium: Browser, sweep: Path) -> None:
    """Table, effects, curves and failures are there, in both themes and on a phone."""
    document, console = chromium.dom(sweep)
    light, dark = chromium.picture(sweep), chromium.picture(sweep, is_dark=True)
    told = chromium.on_phone(sweep)

    assert console == []
    assert document.count("<svg") >= 6
    assert brightness(light) > 200 > 80 > brightness(dark)
    assert share_of(light, BLUE) > 150
    assert told == {"width": PHONE_PX, "scrolls": PHONE_PX, "out": []}


@pytest.mark.parametrize(
    ("language", "shown", "hidden"),
    [("en-US", "Learning curves", "学习曲线"), ("zh-CN", "学习曲线", "Learning curves")],
)
def test_a_page_speaks_its_reader_s_language(
    chromium: Browser, sweep: Path, language: str, shown: str, hidden: str
) -> None:
    """English, or Chinese where the browser speaks it."""
    words = chromium.read(sweep, language=language)

    assert shown in words
    assert hidden not in words


def test_without_a_script_both_languages_can_be_read(chromium: Browser, sweep: Path) -> None:
    """Nothing is missing where scripts are forbidden."""
    words = chromium.read(sweep, with_script=False)

    assert "Learning curves · 学习曲线" in words


def test_a_page_can_be_printed(chromium: Browser, sweep: Path) -> None:
    """On paper it takes a few sheets."""
    content = chromium.printed(sweep)

    assert content.startswith(b"%PDF")
    assert 2 <= content.count(b"/Type /Page\n") <= 8
