"""All ranks of a job come together, and hear from the first whether there is work for them.

Only the first can tell: it alone keeps the run's record, perhaps on a machine of its own.
"""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.context import Context
from pipeline.stage import Stage


def has_work(context: Context, *, first_says: bool = True) -> bool:
    """MindSpore is ready and the ranks have joined; what the first one `first_says`.

    Raises:
        DependencyError: MindSpore is missing, broken or too old, or numpy is too new for it.
        DeviceError: the device cannot be used, or a rank is missing.
    """
    from pipeline.training import device

    device.prepare(
        context.job.device.target,
        precision=context.job.device.precision,
        seed=context.job.seed,
        scratch=context.scratch,
        device_id=context.here.device,
    )
    if not context.here.has_company:
        return first_says
    from pipeline.training import cluster

    return cluster.meet(context.here.rank, context.here.size, has_work=first_says)


def dismiss(context: Context, stages: Sequence[Stage]) -> None:
    """The run is complete: the other ranks, if they come to make a session, need not stay."""
    is_waited_for = any("session" in stage.makes for stage in stages)
    if context.here.has_company and is_waited_for:
        has_work(context, first_says=False)
