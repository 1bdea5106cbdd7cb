"""All that a stage may touch: the job, its folders, its record. Passed, never global."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.disk import locks
from pipeline.disk.plain import plain
from pipeline.hooks import Caller
from pipeline.job.job import Job
from pipeline.manifest import (
    Artifact,
    Digests,
    Failure,
    Manifest,
    StageRecord,
    Status,
    artifacts_in,
)
from pipeline.messages import console, log
from pipeline.messages.masking import masked
from pipeline.processes.stopping import Stop
from pipeline.processes.uploader import Uploader
from pipeline.processes.world import ALONE, World
from pipeline.publish import LiveExport
from pipeline.transfer import Limits
from pipeline.watching import Board

logger = logging.getLogger(__name__)

# Where a script of the user's writes: a folder of the run folder.
OUTPUT = "output"


@dataclass
class Context:
    """One run while it goes on. `folder` is the run folder; `previous` is what it held before.

    `reason_to_start_anew`, where there is one, says why nothing of that counts; `told` is what
    places have told of the job's inputs, by URL, once they were asked.
    """

    job: Job
    folder: Path
    data_dir: Path
    output_dir: Path
    manifest: Manifest
    previous: Manifest | None = None
    reason_to_start_anew: str = ""
    products: dict[str, Any] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    told: dict[str, Any] = field(default_factory=dict)
    ending: Status = "complete"
    failure: Failure | None = None
    here: World = ALONE
    started_s: float = field(default_factory=time.time)
    heartbeat: Path | None = None
    own_place: Path | None = None
    digests: Digests = field(default_factory=Digests)
    uploader: Uploader | None = None
    live: LiveExport | None = None
    hooks: Caller | None = None
    board: Board | None = None
    stop: Stop = field(default_factory=Stop)

    @property
    def scratch(self) -> Path:
        """Where MindSpore leaves what nobody reads; a rank after the first has an `own_place`."""
        return (self.own_place or self.folder) / ".scratch"

    @property
    def limits(self) -> Limits:
        """The limits of this job's transfers."""
        transfer = self.job.cluster.transfer
        return Limits(transfer.parallel, transfer.retries, transfer.stall_s)

    @property
    def downloads(self) -> Path:
        """Where archives land."""
        return self.data_dir / "downloads"

    @property
    def datasets(self) -> Path:
        """Where unpacked and brought folders land."""
        return self.data_dir / "datasets"

    def record(self, **facts: Any) -> None:
        """Facts about the stage at work, for its record in the manifest."""
        self.facts.update(masked(plain(facts)))

    def measured(self, metrics: Mapping[str, float]) -> None:
        """Metrics of the run, by name; one that is no finite number is left out and named."""
        numbers = {name: plain(value) for name, value in metrics.items()}
        lacking = sorted(name for name, value in numbers.items() if value is None)
        if lacking:
            logger.warning("left out of the metrics, not being finite: %s", ", ".join(lacking))
        kept = {name: value for name, value in numbers.items() if value is not None}
        others = {n: v for n, v in self.manifest.metrics.items() if n not in numbers}
        self.manifest = self.manifest.replaced(metrics={**others, **kept})
        if self.board is not None:
            self.board.results(self.manifest.metrics)

    def found_inputs(self, inputs: list[dict[str, Any]]) -> None:
        """What the job's inputs turned out to be."""
        self.manifest = self.manifest.replaced(inputs=tuple(masked(plain(inputs))))

    def earlier(self, stage: str) -> StageRecord | None:
        """The record of this stage from before this start, unless it failed then."""
        found = self.previous.stage(stage) if self.previous else None
        return found if found and found.status != "failed" else None

    def artifacts(self, *, only_known: bool = False) -> tuple[Artifact, ...]:
        """What the run folder holds now; with `only_known`, as far as that takes no time."""
        return artifacts_in(self.folder, self.digests, only_known=only_known)

    def ended(self, artifacts: tuple[Artifact, ...], record: StageRecord | None) -> Manifest:
        """The manifest as it will stand at the end, with the record of the stage that asks."""
        manifest = self.manifest.with_stage(record) if record else self.manifest
        return manifest.ended(self.ending, artifacts, self.failure)

    def saved(self, path: Path) -> None:
        """A file of the run folder is whole and may leave it; takes no time."""
        self.event("saved", path=path.name)
        if self.live is not None:
            self.live.saved(path)
        if self.uploader is not None and path.suffix == ".ckpt":
            self.uploader.nudge()

    def pruned(self, path: Path) -> None:
        """A file of the run folder was removed, as it will be where it was exported to."""
        self.event("pruned", path=path.name)
        if self.live is not None:
            self.live.pruned(path)

    def close(self) -> None:
        """Nothing more is told of the run."""
        if self.board is not None:
            self.board.close()

    def event(self, name: str, /, **facts: Any) -> None:
        """One thing that happened, for events.jsonl, which is the first rank's."""
        if self.here.is_first:
            log.event(self.folder, name, **facts)

    @contextmanager
    def progress(self, label: str, total: float | None, unit: str) -> Iterator[console.Advance]:
        """Shows people how a long thing moves on, and other processes that it does."""
        with console.progress(label, total, unit) as advance:
            heart = locks.Heart(*filter(None, [self.heartbeat]))

            def advance_and_beat(amount: float) -> None:
                advance(amount)
                heart.beat()

            yield advance_and_beat

    def save(self) -> None:
        """The manifest on disk is the one in memory; only the first rank has one."""
        if self.here.is_first:
            self.manifest.write(self.folder)
