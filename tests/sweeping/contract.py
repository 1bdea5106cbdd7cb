"""What a sweep must show wherever its jobs run; `words` say where that is."""

from __future__ import annotations

from pathlib import Path

from tests.sweeping.starting import (
    LONGEST_S,
    begun,
    events,
    is_alive,
    record,
    run,
    start,
    statuses,
    tell,
    wait_until,
)


def hides_no_job(folder: Path, *words: str) -> None:
    """Of eight jobs one raises, one exits, one is killed: five complete, three are told and run."""
    acts = {3: "raise", 5: "exit", 7: "kill"}
    for seed, what in acts.items():
        tell(folder, seed, what)
    words = ("seed=range(1,9)", "sweep.jobs=2", *words)

    first, said = run(folder, *words)
    found = record(folder)
    for seed in acts:
        tell(folder, seed, "")
    second, said_again = run(folder, *words)
    third, said_at_last = run(folder, *words)

    assert (first, second, third) == (1, 0, 0), said
    assert (found["status"], found["metric"], found["direction"]) == ("failed", "accuracy", "max")
    told = {job["overrides"]["seed"]: (job["exit_code"], job["error"]) for job in found["jobs"]}
    assert {seed for seed, (code, _) in told.items() if code == 0} == set("12468")
    assert told["3"] == (1, {"type": "KeyError", "message": "'nobody'", "stage": "act"})
    assert "sys.exit(0)" in told["5"][1]["message"]
    assert told["7"][0] == -9
    assert told["7"][1]["message"] == "killed by SIGKILL (out of memory?)"
    assert "5 complete, 3 failed" in said
    assert "killed by SIGKILL (out of memory?) (stage act); log: " in said
    assert {seed: len(begun(folder, seed)) for seed in (1, 3, 4, 5, 7)} == {
        **{1: 1, 4: 1},
        **{3: 2, 5: 2, 7: 2},
    }
    assert "5 complete already" in said_again
    assert set(statuses(folder).values()) == {"complete"}
    assert "nothing to do" in said_at_last
    page = next((folder / "output_dir" / "sweeps").glob("*/report.html")).read_text("utf-8")
    assert "report.html" in said
    assert "8 / 8" in page
    # The archive came once, and was unpacked once.
    assert len(events(folder, "fetched")) == 1
    assert len(events(folder, "extracted")) == 1
    assert len(list((folder / "data_dir" / "datasets").glob("digits-*"))) == 1


def ends_all_on(number: int, exit_code: int, folder: Path, *words: str) -> None:
    """What is at work saves its record and ends, what waits is never begun, nobody stays behind."""
    for seed in (1, 2, 3):
        tell(folder, seed, "wait")
    sweep = start(folder, "seed=1,2,3", "sweep.jobs=2", *words)
    wait_until(lambda: bool(begun(folder, 1) and begun(folder, 2)), "two jobs at work")

    sweep.send_signal(number)
    said, _ = sweep.communicate(timeout=LONGEST_S)

    assert sweep.returncode == exit_code, said
    assert statuses(folder) == {"1": "interrupted", "2": "interrupted", "3": "waiting"}
    assert [job["exit_code"] for job in record(folder)["jobs"]] == [exit_code, exit_code, None]
    assert record(folder)["status"] == "interrupted"
    assert not any(is_alive(pid) for seed in (1, 2) for pid in begun(folder, seed))
    assert begun(folder, 3) == []
    assert "the rest" in said
