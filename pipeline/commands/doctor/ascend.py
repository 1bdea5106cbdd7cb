"""The device of the job, and what an Ascend machine has to have.

Where CANN lies follows Huawei's installation guide; no Ascend machine has run this yet.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pipeline.commands.doctor.finding import Finding, ok, problem, warning
from pipeline.commands.doctor.place import is_launched
from pipeline.configuration.arguments import Setting
from pipeline.errors import ConfigError
from pipeline.job.job import Job
from pipeline.processes import world

_DEVICE_KEYS = ("device", "device.target", "device_target")
_HOME_VARIABLES = ("ASCEND_HOME_PATH", "ASCEND_TOOLKIT_HOME")
_HOMES = ("/usr/local/Ascend/ascend-toolkit/latest", "/usr/local/Ascend/nnae/latest")
_VERSION_FILES = ("ascend_*_install.info", "*-linux/ascend_*_install.info", "compiler/version.info")
_VERSION = re.compile(r"(?im)^version=(\S+)")
_TIMEOUT = "HCCL_CONNECT_TIMEOUT"


def findings(
    job: Job,
    settings: Sequence[Setting],
    variables: Mapping[str, str],
    *,
    devices: Path = Path("/dev"),
) -> Iterator[Finding]:
    """The device and, where it is Ascend, its software and its limits."""
    cards = len(list(devices.glob("davinci[0-9]*")))
    target, reason = job.device.target, _reason(settings, devices, cards)
    if target != "Ascend":
        is_slow = target == "CPU" and is_launched(job)
        finding = warning if is_slow else ok
        remedy = "; the job will be slow: choose an image with NPUs, or device=ascend"
        yield finding("device", f"{target}, {reason}{remedy if is_slow else ''}")
        return
    version = _cann_version(variables)
    if cards:
        yield ok("device", f"Ascend, {reason}")
    else:
        finding = warning if version else problem
        remedy = "choose a machine that has some, or device=cpu"
        yield finding("device", f"Ascend, {reason}; there are no NPUs in {devices}: {remedy}")
    yield _cann(version)
    if _has_many_machines(job, cards, variables):
        yield _patience(job, variables)


def _reason(settings: Sequence[Setting], devices: Path, cards: int) -> str:
    chosen = [setting for setting in settings if setting.key in _DEVICE_KEYS]
    if chosen:
        return f"set by {chosen[-1].origin}"
    return f"{cards} NPUs in {devices}" if cards else f"no NPU in {devices}"


def _cann(version: str) -> Finding:
    if version:
        return ok("CANN", f"{version} (read from its files; what it can do was not tried)")
    listed = ", ".join((*_HOME_VARIABLES, *_HOMES))
    remedy = "source the set_env.sh of your CANN, or choose an image that has it"
    return warning("CANN", f"its version was not found below any of {listed}; {remedy}")


def _cann_version(variables: Mapping[str, str]) -> str:
    named = [variables[name] for name in _HOME_VARIABLES if variables.get(name)]
    own = f"{variables.get('HOME', '')}/Ascend/ascend-toolkit/latest"
    for home in (*named, *_HOMES, own):
        for pattern in _VERSION_FILES:
            for path in sorted(Path(home).glob(pattern)):
                try:
                    match = _VERSION.search(path.read_text(encoding="utf-8", errors="replace"))
                except OSError:
                    continue  # What cannot be read tells nothing; another file may.
                if match:
                    return match[1]
    return ""


def _has_many_machines(job: Job, cards: int, variables: Mapping[str, str]) -> bool:
    if variables.get("MA_NUM_HOSTS", "").strip() not in ("", "1"):
        return True
    try:
        here = world.read(job.cluster.world.model_dump(), variables)
    except ConfigError:
        return False  # It is told where the processes are told.
    return 0 < cards < here.size


def _patience(job: Job, variables: Mapping[str, str]) -> Finding:
    """Machines whose downloads take unequally long wait for each other in HCCL's start."""
    wanted_s = job.cluster.node_wait_s
    text = job.device.env.get(_TIMEOUT, variables.get(_TIMEOUT, "")).strip()
    remedy = f"set {_TIMEOUT}=1800 where the job is started"
    if not text:
        return warning("HCCL", f"{_TIMEOUT} is not set: machines wait 120 s at most; {remedy}")
    if not text.isdecimal() or int(text) < wanted_s:
        held = f"{_TIMEOUT} is {text!r}; expected {wanted_s:g} s (cluster.node_wait_s) or more"
        return warning("HCCL", f"{held}; {remedy}")
    return ok("HCCL", f"{_TIMEOUT} is {text} s")
