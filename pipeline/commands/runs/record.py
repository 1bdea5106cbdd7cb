"""One past run: where it lies, what its manifest says, and what people ask of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Optional

from pipeline.manifest import Manifest
from pipeline.training.plan import is_minimised

# Gives a file of a run folder by its path there, None where there is none.
Reader = Callable[[str], Optional[bytes]]

UNREADABLE = "unreadable"
STATUSES = ("complete", "failed", "interrupted", "running", UNREADABLE)

_HEADLINES = ("accuracy", "loss")


@dataclass(frozen=True)
class Run:
    """A run as it was found; `place` is its folder or URL, `manifest` None where it is damaged.

    `when` is the time of its end, or of its start while there is no end.
    """

    id: str
    place: str
    manifest: Manifest | None
    status: str
    when: str
    read: Reader
    is_aside: bool = False
    problem: str = ""

    @property
    def metrics(self) -> Mapping[str, float]:
        """What was measured, by name."""
        return self.manifest.metrics if self.manifest else {}

    @property
    def seconds(self) -> float | None:
        """What its stages took together when it worked last."""
        if self.manifest is None or not self.manifest.stages:
            return None
        return sum(stage.seconds for stage in self.manifest.stages)

    @property
    def exported(self) -> str:
        """Where its results went, if they did."""
        stage = self.manifest.stage("export") if self.manifest else None
        return str(stage.facts.get("url", "")) if stage and stage.status != "failed" else ""

    def fact(self, name: str) -> str:
        """What a filter may ask for: status, mode, model, dataset, cluster, or device."""
        if name == "status":
            return self.status
        if self.manifest is None:
            return ""
        holder = {"cluster": self.manifest.launch, "device": self.manifest.environment}
        return str(holder.get(name, self.manifest.job).get(name, ""))

    def as_plain(self) -> dict[str, Any]:
        """What a program gets to know of it in a list."""
        names = ("mode", "model", "dataset", "cluster", "device")
        return {
            "id": self.id,
            "status": self.status,
            "when": self.when,
            "metrics": dict(self.metrics),
            "seconds": None if self.seconds is None else round(self.seconds, 3),
            **{name: self.fact(name) or None for name in names},
            "attempt": self.manifest.attempt if self.manifest else None,
            "exported": self.exported or None,
            "place": self.place,
            "put_aside": self.is_aside,
            "problem": self.problem or None,
        }


def headline(run: Run) -> str:
    """The name of the metric that says most; empty where nothing was measured."""
    return next((name for name in (*_HEADLINES, *run.metrics) if name in run.metrics), "")


def is_less_better(metric: str) -> bool:
    """Whether the smaller of two values of this metric is the better one."""
    return is_minimised(metric.replace("train_", "", 1))
