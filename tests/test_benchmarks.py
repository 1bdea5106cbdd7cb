"""The harness of the benchmarks: what it prints and writes is what was measured."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks import __main__ as harness
from benchmarks import answers, bars, data, jobs, page, setting, show, tools
from benchmarks.measure import (
    Contestant,
    MeasuringError,
    Timing,
    Usage,
    cpu_s,
    in_turn,
    ratio,
    run,
    wall_s,
    work_s,
)  # fmt: skip
from benchmarks.results import Goal, Result, Row, row

ROOT = Path(__file__).resolve().parent.parent
SVG = "{http://www.w3.org/2000/svg}"


def timing(*walls_s: float, told_s: float | None = None) -> Timing:
    """Rounds of these whole times, each with twice as much on the processor."""
    return Timing(tuple(Usage(wall, wall * 2, 1 << 40, told_s) for wall in walls_s))


@pytest.fixture
def result() -> Result:
    """Ours at 1 and 0.5 s, the other's at 2 s, one goal met and one not."""
    ours, other = timing(1.0, 3.0, 2.0, told_s=0.5), timing(2.0, 2.0, 1.0)
    return Result(
        name="race",
        title="A race of <two> & more",
        explanation="Who is first.",
        rows=(
            row("ours, alone", ours, other=other, seconds_of=work_s, is_ours=True),
            row("ours", ours, other=other, is_ours=True),
            row("other", other, other=other),
        ),
        against="other",
        goals=(Goal("first", 0.5, 0.6), Goal("rate", 0.9, 0.95, is_least=True)),
        notes=("left out: nothing",),
    )


def test_ratio_is_the_median_of_the_rounds() -> None:
    """Rounds are compared one by one, not the medians of both."""
    assert ratio((1.0, 3.0, 2.0), (2.0, 2.0, 1.0)) == 1.5


def test_row_tells_the_part_of_the_time_that_was_asked_for(result: Result) -> None:
    """The work alone is compared without the CPU time of a whole process, the whole with it."""
    alone, whole, _ = result.rows

    assert (alone.median_s, alone.ratio, alone.cpu_s) == (0.5, 0.25, None)
    assert (whole.median_s, whole.ratio, whole.cpu_s, whole.cpu_ratio) == (2.0, 1.5, 4.0, 1.5)


@pytest.mark.parametrize(
    ("found", "is_least", "is_met"),
    [(0.89, False, True), (0.9, False, True), (0.91, False, False), (0.89, True, False)],
)
def test_goal_verdict(found: float, is_least: bool, is_met: bool) -> None:
    """A goal says both numbers, and whether it is met, on whichever side it lies."""
    goal = Goal("ratio", found, 0.9, is_least=is_least)

    assert goal.is_met is is_met
    assert goal.verdict.endswith("; met)" if is_met else "; NOT met)")
    assert f"{found:.2f}" in goal.verdict
    assert ("at least 0.90" if is_least else "at most 0.90") in goal.verdict


def test_table_shows_every_row_note_and_goal(result: Result) -> None:
    """The terminal shows all that was found, and columns that nothing fills are left out."""
    console = Console(width=120, record=True, file=sys.stderr)

    show.show(result, console)

    text = console.export_text()
    for expected in ("ours, alone", "0.500", "1.50", "left out: nothing", "NOT met", "to other"):
        assert expected in text
    assert list(show.columns(result))[:4] == ["median s", "from", "to", "ratio"]
    assert "" not in show.columns(result)


def test_picture_has_a_bar_for_each_row(result: Result) -> None:
    """The SVG is well-formed, and a bar is as long as its time is."""
    tree = ElementTree.fromstring(bars.draw([result, result]))

    widths = [float(bar.attrib["width"]) for bar in tree.iter(f"{SVG}rect")]
    texts = [text.text for text in tree.iter(f"{SVG}text")]
    assert len(widths) == 6
    assert widths[0] / widths[1] == pytest.approx(0.25, abs=0.01)
    assert texts.count("ours, alone") == 2
    assert texts.count("0.5 s") == 2
    assert "A race of <two> & more" in texts


def test_picture_of_memory_shows_memory() -> None:
    """Where memory is what counts, the bars are as long as the memory is large."""
    rows = (Row("a", (9.0,), peak_bytes=50_000_000), Row("b", (1.0,), peak_bytes=100_000_000))
    found = Result("memory", "Memory", "How much.", rows, quantity="peak_bytes")

    tree = ElementTree.fromstring(bars.draw([found]))

    widths = [float(bar.attrib["width"]) for bar in tree.iter(f"{SVG}rect")]
    assert widths[0] / widths[1] == pytest.approx(0.5, abs=0.01)
    assert "100 MB" in [text.text for text in tree.iter(f"{SVG}text")]


def test_page_holds_what_was_found(result: Result, tmp_path: Path) -> None:
    """Each table, goal and fact of the machine is on the page, and its pictures lie beside it."""
    path = tmp_path / "benchmarks.md"

    told = {"processor": "one of many", "rounds": "3"}
    page.write(path, [result, result], told, ["job: did not end well"])

    text = path.read_text(encoding="utf-8")
    assert text.count("| ours, alone | 0.500 | 0.500 | 0.500 | 0.25 |") == 2
    assert "| ratio to other |" in text
    assert "rate: 0.90 (goal: at least 0.95; **not met**)" in text
    assert "3 rounds" in text
    assert "## Not measured in this run\n\n- job: did not end well\n" in text
    assert "| processor | one of many |" in text
    assert [(tmp_path / name).is_file() for name in re.findall(r"!\[.*\]\((.*)\)", text)] == [True]


def test_page_prints_commands_that_exist() -> None:
    """The arguments on the page are understood, and its benchmarks are there."""
    commands = re.findall(r'make bench ARGS="(.*)"', page.HEAD)

    assert len(commands) >= 2
    for command in commands:
        assert set(harness.read_options(shlex.split(command)).names) <= set(harness.ALL)


def test_small_goals_are_told_apart_from_what_was_found() -> None:
    """A verdict does not round a ratio to its limit."""
    assert Goal("time", 0.0671, 0.065).verdict == "time: 0.067 (goal: at most 0.065; NOT met)"


def test_unknown_name_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong name ends with code 2 and shows the right ones."""
    with pytest.raises(SystemExit) as ending:
        harness.read_options(["unpak"])

    assert ending.value.code == 2
    told = capsys.readouterr().err
    assert "'unpak'" in told
    assert all(name in told for name in harness.ALL)


@pytest.mark.parametrize("rounds", ["0", "-1", "x"])
def test_wrong_rounds_are_refused(rounds: str) -> None:
    """A median needs a round."""
    with pytest.raises(SystemExit):
        harness.read_options(["--rounds", rounds])


def test_help_names_every_benchmark(capsys: pytest.CaptureFixture[str]) -> None:
    """The list of names is in the help."""
    with pytest.raises(SystemExit):
        harness.read_options(["--help"])

    told = capsys.readouterr().out
    assert all(name in told for name in harness.ALL)


def test_process_is_measured(tmp_path: Path) -> None:
    """Time and CPU time are those of the process, and what it tells is read."""
    script = (
        "import time; time.sleep(0.2); sum(range(3_000_000)); "
        "print('words'); print('{\"seconds\": 0.125}')"
    )

    usage = run([sys.executable, "-c", script], folder=tmp_path)

    assert usage.told_s == 0.125
    assert usage.wall_s >= 0.2
    assert 0 < usage.cpu_s < usage.wall_s


def test_memory_is_not_that_of_this_process(tmp_path: Path) -> None:
    """A small child of a large process is not taken for a large one."""
    held = bytearray(300 << 20)

    silent = run([sys.executable, "-S", "-c", ""], folder=tmp_path)
    telling = run(tools.child("stat_all", str(tmp_path)), folder=tmp_path)

    assert len(held) == 300 << 20
    assert silent.peak_bytes is None
    assert telling.peak_bytes is not None
    assert 5 << 20 < telling.peak_bytes < 200 << 20


def test_failed_process_is_no_measurement(tmp_path: Path) -> None:
    """A command that fails is named with what it printed."""
    with pytest.raises(MeasuringError, match=r"gave 3: (.|\n)*went wrong"):
        run([sys.executable, "-c", "print('went wrong'); raise SystemExit(3)"], folder=tmp_path)


def test_rounds_are_in_turn_and_leave_nothing(tmp_path: Path) -> None:
    """Each is warmed up, then all run round by round in an empty folder that goes afterwards."""
    seen: list[str] = []

    def contestant(name: str) -> Contestant:
        script = "import sys, pathlib; pathlib.Path(sys.argv[1], 'made').touch(exist_ok=False)"
        return Contestant(
            name,
            [sys.executable, "-S", "-c", script, "{target}"],
            check=lambda target: seen.append(f"{name}{len(list(target.iterdir()))}"),
            told_s=lambda target: float((target / "made").exists()),
        )

    found = in_turn([contestant("a"), contestant("b")], rounds=2, folder=tmp_path)

    assert seen == ["a1", "b1"] * 3
    assert {name: len(timing.rounds) for name, timing in found.items()} == {"a": 2, "b": 2}
    assert found["a"].of(work_s) == (1.0, 1.0)
    assert all(usage.wall_s != 1.0 for usage in found["a"].rounds)
    assert list(tmp_path.iterdir()) == []

    in_turn([contestant("c")], rounds=2, folder=tmp_path, is_warm=True)
    assert seen[6:] == ["c1", "c1"]


def test_incomplete_work_does_not_count(tmp_path: Path) -> None:
    """A file or a byte less than there was to do is an error; hidden records do not count."""
    (tmp_path / ".marker").write_bytes(b"123")
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "one").write_bytes(b"1234")

    tools.holds(1, 4)(tmp_path)

    for files, size_bytes in ((2, 4), (1, 5), (0, 0)):
        with pytest.raises(MeasuringError, match="did not do its work"):
            tools.holds(files, size_bytes)(tmp_path)


def test_data_is_the_same_every_time(tmp_path: Path) -> None:
    """Two archives of the same kind are the same bytes, and one that is there is kept."""
    first, second = (data.make("members-50.zip", tmp_path / name) for name in ("a", "b"))

    assert data.digest(first) == data.digest(second)
    assert data.contents(first) == (50, 50 * data.MEMBER_BYTES)
    first.write_bytes(b"kept")
    assert data.make("members-50.zip", tmp_path / "a").read_bytes() == b"kept"


def test_images_are_the_same_every_time(tmp_path: Path) -> None:
    """Two folders of images hold the same bytes, in the layout that the dataset `mnist` reads."""
    first, second = (data.make("images-60", tmp_path / name) for name in ("a", "b"))

    found = {path.relative_to(first): path.read_bytes() for path in first.rglob("*-ubyte")}
    assert {str(path): len(content) for path, content in found.items()} == {
        "train/train-images-idx3-ubyte": 16 + 60 * 28 * 28,
        "train/train-labels-idx1-ubyte": 8 + 60,
        "test/t10k-images-idx3-ubyte": 16 + 10 * 28 * 28,
        "test/t10k-labels-idx1-ubyte": 8 + 10,
    }
    assert all((second / path).read_bytes() == content for path, content in found.items())


def test_scratch_goes_where_it_is_sent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """TMPDIR is respected, and data that is to be kept does not lie in what goes."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))

    assert setting.scratch_root() is None
    (tmp_path / "run").mkdir()
    made = setting.prepare(tmp_path / "run", 1, tmp_path / "kept", ())
    assert (made.data, made.scratch) == (tmp_path / "kept", tmp_path / "run" / "scratch")


def test_seconds_of_a_skipped_stage_come_from_events(tmp_path: Path) -> None:
    """The time of a run is that between its first event and the end of its last stage."""
    folder = tmp_path / "outputs" / "run"
    folder.mkdir(parents=True)
    (folder / "events.jsonl").write_text(
        '{"time": "2026-01-01T00:00:00.100Z", "event": "run_started"}\n'
        '{"time": "2026-01-01T00:00:00.110Z", "event": "stage_ended"}\n'
        '{"time": "2026-01-01T00:00:00.125Z", "event": "stage_ended"}\n'
    )

    assert jobs.event_seconds(tmp_path) == pytest.approx(0.025)


def test_seconds_of_epochs_come_from_events(tmp_path: Path) -> None:
    """An epoch lasts from the end of the one before; the first has none before it."""
    folder = tmp_path / "outputs" / "run"
    folder.mkdir(parents=True)
    (folder / "events.jsonl").write_text(
        "".join(
            f'{{"time": "2026-01-01T00:00:{second}Z", "event": "{name}"}}\n'
            for second, name in (
                ("01.000", "stage_started"),
                ("09.000", "epoch"),
                ("11.500", "saved"),
                ("12.250", "epoch"),
                ("13.000", "epoch"),
            )
        )
    )

    assert jobs.epoch_seconds(tmp_path) == (3.25, 0.75)
    assert jobs.count_epochs(tmp_path) == 3


def test_variable_is_hidden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is measured as it comes does not see the setting of whoever measures."""
    monkeypatch.setenv(jobs.INSTRUCTION_SET, "AVX2")
    script = f"import os, sys; sys.exit({jobs.INSTRUCTION_SET!r} in os.environ)"

    run(
        tools.without_variable(jobs.INSTRUCTION_SET, [sys.executable, "-c", script]),
        folder=tmp_path,
    )

    with pytest.raises(MeasuringError):
        run([sys.executable, "-c", script], folder=tmp_path)


@pytest.mark.parametrize(
    ("asked", "status", "body"),
    [("", "200", b"0123456789"), ("bytes=2-4", "206", b"234"), ("bytes=7-", "206", b"789")],
)
def test_parts_are_answered(asked: str, status: str, body: bytes) -> None:
    """The object that is served without moto comes whole or in the part that was asked for."""
    statuses: list[str] = []
    serve = answers.with_parts(lambda *_: [b"moto's"], "/b/k", b"0123456789")
    environ = {"PATH_INFO": "/b/k", "REQUEST_METHOD": "GET", "HTTP_RANGE": asked}

    got = b"".join(serve(environ, lambda status, _: statuses.append(status)))

    assert (statuses[0][:3], got) == (status, body)
    assert list(serve({**environ, "PATH_INFO": "/b/other"}, None)) == [b"moto's"]


def test_bytes_that_arrive_are_counted() -> None:
    """Bodies that are put or posted count; what is fetched does not, nor does asking."""
    serve = answers.counted(lambda *_: [b"moto's"])
    for method in ("PUT", "POST", "GET"):
        environ = {"PATH_INFO": "/b/k", "REQUEST_METHOD": method, "CONTENT_LENGTH": "1000"}
        assert list(serve(environ, None)) == [b"moto's"]
    serve({"PATH_INFO": "/b", "REQUEST_METHOD": "PUT"}, None)

    asked = {"PATH_INFO": answers.RECEIVED_PATH, "REQUEST_METHOD": "GET"}
    assert list(serve(asked, lambda *_: None)) == [b"2000"]


def test_pictures_show_what_a_table_is_about() -> None:
    """Bars are as long as seconds, or as the bytes that the result names."""
    row_of_all = Row("one", (2.0,), peak_bytes=3_000_000, sent_bytes=5_000_000)

    for quantity, text in (("median_s", "2 s"), ("peak_bytes", "3 MB"), ("sent_bytes", "5 MB")):
        result = Result("x", "X", "", (row_of_all,), quantity=quantity)
        texts = ElementTree.fromstring(bars.draw([result])).iter(f"{SVG}text")
        assert [element.text for element in texts] == ["X", "one", text]
        assert show.columns(result)["sent MB"] == ["5.0"]


def test_shares_of_faults_are_those_announced() -> None:
    """Of many requests the announced share is refused."""
    statuses: list[str] = []
    serve = answers.with_faults(lambda *_: [b""], seed=1)
    for _ in range(2000):
        serve({"REQUEST_METHOD": "HEAD"}, lambda status, _: statuses.append(status))

    assert len(statuses) / 2000 == pytest.approx(answers.BUSY_SHARE, abs=0.03)


@pytest.mark.slow
@pytest.mark.parametrize("signalled", [signal.SIGINT, signal.SIGTERM])
def test_interrupt_leaves_nothing(tmp_path: Path, signalled: int) -> None:
    """Ctrl-C in the middle of a measurement ends its children and removes its folders."""
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-m", "benchmarks", "growth", "--rounds", "500"]
    with subprocess.Popen(command, cwd=ROOT, env=environment, start_new_session=True) as process:
        deadline_s = time.monotonic() + 30
        while not list(tmp_path.glob("*/data/*/*")) and time.monotonic() < deadline_s:
            time.sleep(0.02)
        os.kill(process.pid, signalled)
        exit_code = process.wait(timeout=30)

    assert exit_code == 130
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)


def test_every_quantity_has_its_own_number() -> None:
    """The three times of a process are not mixed up."""
    usage = Usage(wall_s=3.0, cpu_s=2.0, peak_bytes=1, told_s=1.0)

    assert (wall_s(usage), cpu_s(usage), work_s(usage)) == (3.0, 2.0, 1.0)
    assert work_s(Usage(3.0, 2.0, 1)) == 3.0


def test_a_row_needs_no_comparison() -> None:
    """What is compared with nothing has its seconds and no ratio."""
    assert row("alone", timing(1.0)).ratio is None
    assert Row("job", (1.0,)).median_s == 1.0
