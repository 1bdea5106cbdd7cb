"""Which cluster this is, which process of how many, and what the launch brought."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pipeline.commands.doctor.finding import Finding, ok, problem
from pipeline.configuration.launch import LOCAL, Launch
from pipeline.errors import ConfigError
from pipeline.job.job import Job
from pipeline.processes import world


def findings(job: Job, variables: Mapping[str, str]) -> Iterator[Finding]:
    """What can be told of the cluster without looking at the machine."""
    yield ok("job", job.run_id)
    yield ok("cluster", f"{job.cluster.name}, because {_reason(job)}")
    yield _processes(job, variables)
    if is_launched(job):
        yield ok("launch", f"brings {_brought(job)}")
    if job.platform:
        yield ok("flags", f"kept under platform, read by nothing: {', '.join(job.platform)}")


def is_launched(job: Job) -> bool:
    """Whether a platform started this."""
    return job.launched.detected_by != Launch().detected_by


def _reason(job: Job) -> str:
    reason = job.launched.detected_by
    if is_launched(job) or job.cluster.name == LOCAL:
        return reason
    return f"it was chosen by hand ({reason})"


def _processes(job: Job, variables: Mapping[str, str]) -> Finding:
    try:
        here = world.read(job.cluster.world.model_dump(), variables)
    except ConfigError as error:
        return problem("processes", str(error))
    if not here.has_company:
        workers = job.device.workers or 1
        more = f"; run.py starts {workers} workers" if workers > 1 else ""
        return ok("processes", f"no variable tells of others{more}")
    device = "" if here.device is None else f", on device {here.device}"
    return ok("processes", f"rank {here.rank} of {here.size}{device}")


def _brought(job: Job) -> str:
    launched = job.launched
    names = ", ".join(archive.name for archive in job.dataset.archives)
    parts = [f"data ({names}), read as dataset={job.dataset.name}" if launched.brings_data else ""]
    parts += [f"model {url}" for url in launched.models]
    parts += [f"checkpoint {launched.checkpoint}" if launched.checkpoint else ""]
    return ", ".join(filter(None, parts)) or "neither data nor models"
