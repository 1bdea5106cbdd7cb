"""Runs the benchmarks: python -m benchmarks [NAME ...] [--rounds N] [--page FILE] [--data DIR]."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from rich.console import Console

from benchmarks import (
    device_values,
    endings,
    export_traffic,
    faults,
    fetch,
    growth,
    job,
    machine,
    memory,
    page,
    runs,
    setting,
    show,
    startup,
    sweeps,
    training,
    unpack,
    warm,
)  # fmt: skip
from benchmarks.measure import MeasuringError
from benchmarks.results import Result
from benchmarks.setting import Setting
from benchmarks.tools import MissingError

ALL: dict[str, Callable[[Setting], Iterator[Result]]] = {
    "unpack": unpack.measure,
    "fetch": fetch.measure,
    "warm": warm.measure,
    "memory": memory.measure,
    "growth": growth.measure,
    "faults": faults.measure,
    "startup": startup.measure,
    "runs": runs.measure,
    "job": job.measure,
    "sweeps": sweeps.measure,
    "training": training.measure,
    "device_values": device_values.measure,
    "export_traffic": export_traffic.measure,
    "endings": endings.measure,
}


def main(words: Sequence[str]) -> int:
    """Measures, prints, and writes the page where one is asked for; returns the exit code."""
    options = read_options(words)
    # Whoever ends this ends its children and removes its folders.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    pinned, others = setting.pin()
    console = Console(width=120)
    results: list[Result] = []
    left_out: list[str] = []
    with tempfile.TemporaryDirectory(prefix="benchmarks-", dir=setting.scratch_root()) as name:
        chosen = setting.prepare(Path(name), options.rounds, options.data, others)
        told = machine.describe(chosen.scratch, pinned)
        for benchmark in options.names or ALL:
            try:
                for result in ALL[benchmark](chosen):
                    show.show(result, console)
                    results.append(result)
            except (MissingError, MeasuringError) as error:
                console.print(f"{benchmark}: {error}", markup=False)
                last_line = str(error).rstrip().rpartition("\n")[2]
                left_out.append(f"{benchmark}: {last_line}")
            except KeyboardInterrupt:
                return 130
    if options.page:
        page.write(options.page, results, {**told, "rounds": str(options.rounds)}, left_out)
    return 1 if left_out else 0


def read_options(words: Sequence[str]) -> argparse.Namespace:
    """What was asked for; a wrong word ends with code 2 and the right ones."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"one of {', '.join(ALL)}; all without"
    )
    parser.add_argument("--rounds", type=int, default=5, help="how often each command is timed")
    parser.add_argument("--page", type=Path, help="write what was found to this Markdown file")
    parser.add_argument("--data", type=Path, help="a folder that keeps the data made")
    options = parser.parse_args(words)
    unknown = [name for name in options.names if name not in ALL]
    if unknown:
        parser.error(f"there is no benchmark {unknown[0]!r}; there is: {', '.join(ALL)}")
    if options.rounds < 1:
        parser.error(f"--rounds is {options.rounds}; give 1 or more")
    return options


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
