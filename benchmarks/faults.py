"""Fetching from a server that fails often, beside the same server on a good day."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks import answers, data, server, tools
from benchmarks.measure import Contestant, in_turn
from benchmarks.results import Result, row
from benchmarks.setting import Setting


def measure(setting: Setting) -> Iterator[Result]:
    """3,000 objects, each byte compared afterwards."""
    command = tools.child("fetch_folder", f"obs://{tools.BUCKET}/small", "{target}/out", "2.0")
    with (
        server.serving(setting.server_cores) as good,
        server.serving(setting.server_cores, is_faulty=True) as bad,
    ):
        contestants = [
            Contestant(name, command, server.variables(endpoint), check=data.check_objects)
            for name, endpoint in (("undisturbed", good), ("disturbed", bad))
        ]
        found = in_turn(contestants, rounds=setting.rounds, folder=setting.scratch)
    calm = found["undisturbed"]
    yield Result(
        name="faults",
        title="3,000 objects from a server that fails",
        explanation=(
            f"The same fetch twice: from moto's server, and from one that answers "
            f"{answers.BUSY_SHARE:.0%} of all requests with 503, hangs up in the middle of "
            f"{answers.CUT_SHARE:.0%} of the bodies and falls silent in {answers.STALL_SHARE:.1%} "
            f"of them. Attempts as by default (three more after the first), a stall limit of 2 s. "
            f"Each byte that arrived is compared with what was sent."
        ),
        rows=tuple(row(name, timing, other=calm, is_ours=True) for name, timing in found.items()),
        against="undisturbed",
    )
