"""Runs the benchmarks: python -m benchmarks [NAME ...] [--rounds N]."""

from __future__ import annotations

import argparse

from benchmarks import job, startup

_ALL = {"startup": startup.main, "job": job.main}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"one of {', '.join(_ALL)}; all without"
    )
    parser.add_argument("--rounds", type=int, default=5, help="how often each command is timed")
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in _ALL]
    if unknown:
        parser.error(f"there is no benchmark {unknown[0]!r}; there is: {', '.join(_ALL)}")
    for name in options.names or _ALL:
        _ALL[name](options.rounds)
