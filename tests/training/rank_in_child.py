"""One rank of a training, or its scheduler: DIGITS FOLDER EPOCHS [RANK THAT FAILS] [STOP AFTER].

Leaves `rank-<n>.json` with the digest of its state, its rows and what was saved.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import signal
import sys
from pathlib import Path

from pipeline.errors import MindRunError, StoppedEarlyError
from pipeline.training import cluster, device

RANK, SIZE = int(os.environ.get("RANK_ID", "0")), int(os.environ.get("RANK_SIZE", "1"))


def main(digits: Path, folder: Path, epochs: int, failing_rank: int, stop_after: int) -> None:
    """Trains a small network on the digits, together with the other ranks."""
    scratch = folder / f"scratch-{RANK}"
    # Ranks that would begin differently are made alike.
    device.prepare("CPU", precision="O0", seed=1 + RANK, scratch=scratch, device_id=RANK)
    if SIZE > 1:
        cluster.join(RANK, SIZE, timeout_s=60)
    from pipeline.datasets import mnist
    from pipeline.models.mlp import MLP
    from pipeline.training import evaluation, loop, session
    from pipeline.training.asking import never

    built = session.build(
        network=MLP(10, 1, 8, [32]),
        train=mnist.load([digits], "train", size=8),
        test=mnist.load([digits], "test", size=8),
        learning_rate=0.05,
        momentum=0.9,
        batch_size=32 // SIZE,
        seed=1,
        precision="O0",
    )
    rows: list[dict[str, float]] = []
    saved: list[str] = []
    heard: list[int] = []
    asked: list[None] = []

    def progress(samples: int) -> None:
        heard.append(samples)
        if failing_rank == RANK and len(heard) == 2:
            raise MindRunError(f"rank {RANK} fails by order of its test")

    def should_stop() -> int:
        asked.append(None)
        # Any rank's word counts.
        return signal.SIGTERM if RANK == 1 and len(asked) == stop_after else 0

    loop.train(
        built,
        folder / "checkpoints" if RANK == 0 else folder / "nowhere",
        "net",
        epochs=epochs,
        progress=progress,
        record=rows.append,
        saved=lambda path: saved.append(path.name),
        rank=RANK,
        size=SIZE,
        should_stop=should_stop if stop_after else never,
    )
    state = b"".join(p.asnumpy().tobytes() for _, p in sorted(built.state().items()))
    report = {
        "digest": hashlib.sha256(state).hexdigest(),
        "rows": rows,
        "saved": saved,
        "samples": sum(heard),
        "accuracy": evaluation.evaluate(built).accuracy,
    }
    (folder / f"rank-{RANK}.json").write_text(json.dumps(report), encoding="utf-8")


if __name__ == "__main__":
    if os.environ.get("MS_ROLE") == "MS_SCHED":
        cluster.schedule()
        sys.exit(0)
    logging.basicConfig(level="INFO", stream=sys.stdout)
    code = 0
    try:
        numbers = [int(text) for text in sys.argv[3:]]
        main(Path(sys.argv[1]), Path(sys.argv[2]), *[*numbers, *(-1, 0)[len(numbers) - 1 :]])
    except MindRunError as error:
        sys.stderr.write(f"{error}\n")
        code = 128 + error.why if isinstance(error, StoppedEarlyError) else 1
    if SIZE > 1:
        cluster.leave(code)
