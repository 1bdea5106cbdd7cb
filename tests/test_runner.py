"""A job from its first stage to its end, whatever happens on the way."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from pipeline import manifest
from pipeline.errors import AccessDeniedError, ConfigError, RunBusyError
from pipeline.manifest import Manifest
from pipeline.publish import LiveExport
from pipeline.running import runfolder
from pipeline.storage.local import LocalStorage
from tests.running import files_below, go, make_archive, make_job
from tests.servers import WebServer, serving

WITH_RESULT = ("fetch", "extract", "tests.running.make", "export")


def read(folder: Path) -> Manifest:
    """The folder's manifest, which is there."""
    found = manifest.read(folder)
    assert found is not None
    return found


def exported(tmp_path: Path, folder: Path) -> Path:
    """Where the run folder is exported to."""
    return tmp_path / "exports" / folder.name


def statuses(found: Manifest) -> dict[str, str]:
    """What became of each stage."""
    return {stage.name.rpartition(".")[2]: stage.status for stage in found.stages}


def without_changes(paths: Iterable[str]) -> list[str]:
    """The paths but for the record of changes that nobody has committed yet, if there are any."""
    return [path for path in paths if not path.startswith("provenance-code-")]


def test_a_job_is_done_exported_and_recorded(tmp_path: Path) -> None:
    """Every stage is done, and the exported manifest is the local one byte for byte."""
    outcome = go(make_job(tmp_path, stages=WITH_RESULT))

    found = read(outcome.folder)
    there = exported(tmp_path, outcome.folder)
    assert (outcome.exit_code, found.status, outcome.was_done) == (0, "complete", False)
    assert set(statuses(found).values()) == {"done"}
    assert found.metrics == {"accuracy": 0.5}
    made = ["config.yaml", "count.txt", "provenance.json", "report.html", "result.txt"]
    assert without_changes(a.path for a in found.artifacts) == made
    assert (there / "manifest.json").read_bytes() == (outcome.folder / "manifest.json").read_bytes()
    for artifact in found.artifacts:
        assert (there / artifact.path).read_bytes() == (outcome.folder / artifact.path).read_bytes()


def test_a_finished_job_is_not_touched_again(tmp_path: Path) -> None:
    """The same job once more does nothing and writes nothing below the run folder."""
    job = make_job(tmp_path, stages=WITH_RESULT)
    first = go(job)
    before = files_below(tmp_path)

    second = go(job)

    assert (second.exit_code, second.was_done) == (0, True)
    assert second.manifest == first.manifest
    assert files_below(tmp_path) == before


def test_fresh_puts_the_old_run_aside(tmp_path: Path) -> None:
    """run.fresh works from the start beside `<id>.old-N`, and the attempt counts up."""
    go(make_job(tmp_path, stages=WITH_RESULT))

    for attempt in (2, 3):
        outcome = go(make_job(tmp_path, stages=WITH_RESULT, run={"fresh": True}))

        assert outcome.manifest.attempt == attempt
        assert (outcome.folder / "count.txt").read_text() == "made\n"
        aside = outcome.folder.with_name(f"{outcome.folder.name}.old-{attempt - 1}")
        assert read(aside).attempt == attempt - 1
        assert "started anew (run.fresh=true)" in (outcome.folder / "run.log").read_text()


def test_the_attempt_survives_a_kill_while_starting_anew(tmp_path: Path) -> None:
    """Killed after the old folder was renamed, the next start knows which attempt it is."""
    job = make_job(tmp_path, stages=WITH_RESULT)
    runfolder.set_aside(go(job).folder)

    assert go(job).manifest.attempt == 2


def test_changed_inputs_start_the_run_anew(tmp_path: Path) -> None:
    """Another archive under the same URL means another run, and the log says what differs."""
    job = make_job(tmp_path, stages=WITH_RESULT)
    first = go(job)
    make_archive(tmp_path / "source" / "set.zip", "another")

    second = go(job)

    log = (second.folder / "run.log").read_text()
    assert (second.exit_code, second.manifest.attempt, second.was_done) == (0, 2, False)
    assert set(statuses(second.manifest).values()) == {"done"}
    assert "started anew (inputs changed: set.zip (sha256" in log
    assert second.manifest.inputs != first.manifest.inputs
    assert "another" in (tmp_path / "data" / "set" / "train" / "a.txt").read_text()


def test_a_changed_object_starts_the_run_anew(tmp_path: Path) -> None:
    """A finished run asks whether its object is still the same, and is not reused if not."""
    contents = [make_archive(tmp_path / name, name).read_bytes() for name in ("a", "b")]
    with serving(WebServer(files={"set.zip": contents[0]})) as web:
        job = make_job(tmp_path, stages=WITH_RESULT, url=f"{web.url}/set.zip")
        go(job)
        assert go(job).was_done
        web.files["set.zip"] = contents[1]

        second = go(job)

    assert (second.exit_code, second.manifest.attempt, second.was_done) == (0, 2, False)
    assert (tmp_path / "data" / "set" / "train" / "a.txt").read_text() == "b"


def test_a_finished_run_needs_no_place_to_be_up(tmp_path: Path) -> None:
    """Everything is here and verified, so that a dead server is worth a warning only."""
    content = make_archive(tmp_path / "a.zip").read_bytes()
    with serving(WebServer(files={"set.zip": content})) as web:
        job = make_job(tmp_path, stages=WITH_RESULT, url=f"{web.url}/set.zip")
        go(job)

    assert go(job).was_done


def test_a_job_that_ends_with_data_brings_them_back(tmp_path: Path) -> None:
    """It has made nothing else that could stand for them; a result stands for itself."""
    for stages in (("fetch", "extract"), WITH_RESULT):
        folder = tmp_path / str(len(stages))
        job = make_job(folder, stages=stages)
        go(job)
        shutil.rmtree(folder / "data" / "datasets")

        assert go(job).was_done == (stages == WITH_RESULT)
        assert (folder / "data" / "set" / "train").exists() == (stages != WITH_RESULT)


def test_a_new_time_alone_changes_nothing(tmp_path: Path) -> None:
    """The same bytes with another mtime are the same input."""
    job = make_job(tmp_path, stages=WITH_RESULT)
    first = go(job)
    os.utime(tmp_path / "source" / "set.zip", (1e9, 1e9))

    second = go(job)

    assert (second.exit_code, second.manifest.attempt) == (0, 1)
    assert second.manifest.inputs[0]["sha256"] == first.manifest.inputs[0]["sha256"]
    assert (second.folder / "count.txt").read_text() == "made\n"
    assert go(job).was_done


@pytest.mark.parametrize("name", ["result.txt", "manifest.json", "config.yaml"])
def test_a_hole_in_the_exported_copy_is_filled(tmp_path: Path, name: str) -> None:
    """What is missing at the export place is exported again, and nothing is made again."""
    job = make_job(tmp_path, stages=WITH_RESULT)
    folder = go(job).folder
    (exported(tmp_path, folder) / name).unlink()

    outcome = go(job)

    assert (outcome.exit_code, outcome.was_done) == (0, False)
    assert (exported(tmp_path, folder) / name).is_file()
    assert (folder / "count.txt").read_text() == "made\n"
    assert read(exported(tmp_path, folder)) == read(folder)
    assert go(job).was_done


def test_an_exported_file_of_another_size_is_sent_again(tmp_path: Path) -> None:
    """A damaged copy is noticed by its size."""
    job = make_job(tmp_path, stages=WITH_RESULT)
    folder = go(job).folder
    damaged = exported(tmp_path, folder) / "result.txt"
    damaged.write_text("abcd")

    go(job)

    assert damaged.read_text() == "abc"


def test_another_export_place_gets_the_whole_run(tmp_path: Path) -> None:
    """A finished run is exported to a new place without being made again."""
    go(make_job(tmp_path, stages=WITH_RESULT))
    other = tmp_path / "elsewhere"

    outcome = go(make_job(tmp_path, stages=WITH_RESULT, cluster={"export_url": str(other)}))

    assert read(other / outcome.folder.name) == read(outcome.folder)
    assert (outcome.folder / "count.txt").read_text() == "made\n"


def test_a_missing_local_file_is_made_again(tmp_path: Path) -> None:
    """A run whose artifacts are gone is not taken for finished."""
    job = make_job(tmp_path, stages=WITH_RESULT)
    folder = go(job).folder
    (folder / "result.txt").unlink()

    assert not go(job).was_done
    assert (folder / "result.txt").is_file()


def test_a_failing_stage_ends_the_run_with_its_record(tmp_path: Path) -> None:
    """Status, error, stage and artifacts are recorded and exported; the traceback is in run.log."""
    outcome = go(make_job(tmp_path, stages=("fetch", "tests.running.boom", "export")))

    found = read(outcome.folder)
    assert (outcome.exit_code, found.status) == (1, "failed")
    assert found.error is not None
    assert (found.error.type, found.error.stage) == ("KeyError", "boom")
    assert statuses(found) == {"fetch": "done", "boom": "failed", "export": "done"}
    assert "half.txt" in [artifact.path for artifact in found.artifacts]
    assert read(exported(tmp_path, outcome.folder)) == found
    assert "Traceback" in (outcome.folder / "run.log").read_text()


def test_no_secret_is_recorded_anywhere(tmp_path: Path) -> None:
    """The query of a signed URL in an error or in the configuration reaches no file."""
    job = make_job(tmp_path, stages=("fetch", "tests.running.boom", "export"))
    secret = "word-for-tests"

    outcome = go(job, {"a": f"https://host/a?Signature={secret}", "api_key": secret})

    written = files_below(tmp_path)
    assert "KeyError" in (outcome.folder / "run.log").read_text()
    assert [name for name, content in written.items() if secret.encode() in content] == []


def test_a_failure_before_any_result_exports_nothing(tmp_path: Path) -> None:
    """A run that never got as far as making something leaves the export place alone."""
    stages = ("fetch", "extract", "tests.running.make", "export")
    outcome = go(make_job(tmp_path, stages=stages, url=str(tmp_path / "not-there.zip")))

    assert outcome.manifest.status == "failed"
    assert outcome.manifest.error is not None
    assert "not-there.zip" in outcome.manifest.error.message
    assert not (tmp_path / "exports").exists()
    assert not list((tmp_path / "data").rglob("set.zip"))


def test_a_stage_that_leaves_the_process_has_failed(tmp_path: Path) -> None:
    """sys.exit(0) in somebody's code does not pass for a finished job."""
    outcome = go(make_job(tmp_path, stages=("tests.running.leave",)))

    assert (outcome.exit_code, outcome.manifest.status) == (1, "failed")
    assert outcome.manifest.error is not None
    assert "sys.exit" in outcome.manifest.error.message


@pytest.mark.parametrize(("verb", "exit_code"), [("interrupt", 130), ("terminate", 143)])
def test_an_interrupt_exports_what_there_is(tmp_path: Path, verb: str, exit_code: int) -> None:
    """The record says interrupted, here and at the export place."""
    outcome = go(make_job(tmp_path, stages=(f"tests.running.{verb}", "export")))

    found = read(outcome.folder)
    assert (outcome.exit_code, found.status) == (exit_code, "interrupted")
    assert (exported(tmp_path, outcome.folder) / "half.txt").is_file()
    assert read(exported(tmp_path, outcome.folder)) == found


def raising(error: BaseException, *, at: int) -> Callable[..., Any]:
    """LocalStorage.put that raises at its n-th call, counted from 1, and works otherwise."""
    put, calls = LocalStorage.put, []

    def replacement(self: LocalStorage, key: str, path: Path, **rest: Any) -> Any:
        calls.append(key)
        if len(calls) == at:
            raise error
        return put(self, key, path, **rest)

    return replacement


@pytest.mark.parametrize("nth", range(1, 6))
def test_an_export_that_breaks_never_claims_to_be_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nth: int
) -> None:
    """Whichever file cannot be sent, no manifest says complete; the next start finishes."""
    job = make_job(tmp_path, stages=WITH_RESULT)
    with monkeypatch.context() as patch:
        refused = AccessDeniedError("the place refuses; ask its owner.")
        patch.setattr(LocalStorage, "put", raising(refused, at=nth))

        broken = go(job)

    there = manifest.read(exported(tmp_path, broken.folder))
    assert (broken.exit_code, broken.manifest.status) == (1, "failed")
    assert there is None or there.status != "complete"
    outcome = go(job)
    assert (outcome.exit_code, outcome.manifest.status) == (0, "complete")
    assert outcome.manifest.error is None
    assert (outcome.folder / "count.txt").read_text() == "made\n"
    assert read(exported(tmp_path, outcome.folder)) == read(outcome.folder)


def test_an_interrupt_while_exporting_is_recorded_there_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first interrupt lets the export come to an end, which says interrupted."""
    job = make_job(tmp_path, stages=WITH_RESULT)
    monkeypatch.setattr(LocalStorage, "put", raising(KeyboardInterrupt(), at=2))

    outcome = go(job)

    assert (outcome.exit_code, outcome.manifest.status) == (130, "interrupted")
    assert read(exported(tmp_path, outcome.folder)) == read(outcome.folder)
    assert go(job).manifest.status == "complete"


def test_a_second_interrupt_ends_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Interrupted again while exporting what there is, the run ends with its local record."""

    def interrupt(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(LiveExport, "drain", interrupt)

    outcome = go(make_job(tmp_path, stages=("tests.running.interrupt", "export")))

    assert (outcome.exit_code, read(outcome.folder).status) == (130, "interrupted")
    assert manifest.read(exported(tmp_path, outcome.folder)) is None


def test_numbers_are_numbers(tmp_path: Path) -> None:
    """NaN and infinity reach no file, so that every file is JSON for everybody."""

    def refuse(text: str) -> None:
        raise AssertionError(text)

    outcome = go(make_job(tmp_path, stages=("tests.running.measure_nothing",)))

    text = (outcome.folder / "manifest.json").read_text()
    lines = (outcome.folder / "events.jsonl").read_text().splitlines()
    assert json.loads(text, parse_constant=refuse)["metrics"] == {"accuracy": 0.5}
    assert [json.loads(line, parse_constant=refuse) for line in lines]
    assert outcome.manifest.stages[0].facts == {"ratio": None, "path": str(outcome.folder)}
    assert "not being finite: loss" in (outcome.folder / "run.log").read_text()


def test_results_of_a_killed_start_are_in_the_record(tmp_path: Path) -> None:
    """What a stage had finished when it was killed is skipped, its facts and metrics kept."""
    job = make_job(tmp_path, stages=WITH_RESULT)
    folder = tmp_path / "outputs" / job.run_id
    folder.mkdir(parents=True)
    (folder / "result.txt").write_text("abc")

    found = go(job).manifest

    record = found.stage("make")
    assert record is not None
    assert (record.status, record.reason, record.facts) == ("skipped", "made already", {"size": 3})
    assert found.metrics == {"accuracy": 0.5}


def test_one_process_at_a_time(tmp_path: Path) -> None:
    """A run that another process works on is refused, with that process named."""
    job = make_job(tmp_path)

    with (
        runfolder.owned(tmp_path / "outputs" / job.run_id),
        pytest.raises(RunBusyError, match=f"pid {os.getpid()}"),
    ):
        go(job)


def test_a_run_of_another_job_is_left_alone(tmp_path: Path) -> None:
    """A chosen id that another job has used is refused before anything is written."""
    go(make_job(tmp_path, run={"id": "mine"}))
    before = files_below(tmp_path)

    with pytest.raises(ConfigError, match="another job"):
        go(make_job(tmp_path, run={"id": "mine"}, digest="f" * 64))

    assert files_below(tmp_path) == before


def test_a_chosen_id_without_a_readable_manifest_starts_anew(tmp_path: Path) -> None:
    """Checkpoints of nobody knows which job are not gone on from."""
    job = make_job(tmp_path, run={"id": "mine"})
    folder = tmp_path / "outputs" / "mine"
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "manifest.json").write_text("{")

    outcome = go(job)

    assert (outcome.exit_code, outcome.manifest.attempt) == (0, 2)
    assert (tmp_path / "outputs" / "mine.old-1" / "checkpoints").is_dir()


def test_jobs_without_results_of_their_own(tmp_path: Path) -> None:
    """[fetch, extract] is a job, and leaves the data under the archive's own name."""
    outcome = go(make_job(tmp_path, stages=("fetch", "extract")))

    assert (outcome.exit_code, outcome.manifest.status) == (0, "complete")
    assert (tmp_path / "data" / "set" / "train" / "a.txt").read_text() == "one"
    assert not (tmp_path / "exports").exists()


def test_private_files_stay_private(tmp_path: Path) -> None:
    """The ledger, locks and unfinished files are neither artifacts nor exported."""
    folder = tmp_path / "outputs" / make_job(tmp_path).run_id
    folder.mkdir(parents=True)
    for name in (".private", "_draft", "a.part", "b.tmp1"):
        (folder / name).write_text("x")

    outcome = go(make_job(tmp_path))

    listed = [artifact.path for artifact in outcome.manifest.artifacts]
    assert without_changes(listed) == ["config.yaml", "provenance.json"]
    assert without_changes(sorted(files_below(exported(tmp_path, outcome.folder)))) == [
        "config.yaml",
        "events.jsonl",
        "manifest.json",
        "provenance.json",
        "run.log",
    ]


def test_a_full_disk_at_the_end_is_said_not_raised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If even the last record cannot be written, the run still ends with a code that says so."""

    def refuse(self: Manifest, _: Path) -> None:
        if self.status != "running":
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(Manifest, "write", refuse)

    assert go(make_job(tmp_path)).exit_code == 1
