"""Trains in a process of its own, to be killed: FOLDER EPOCHS [stream]. Ctrl-C: exit code 130."""

from __future__ import annotations

import sys
from pathlib import Path

from pipeline.training import device


def main(folder: Path, epochs: int, *, is_streamed: bool) -> None:
    """Trains a small network on made-up data, saving as often as it can."""
    device.prepare("CPU", precision="O0", seed=1, scratch=folder / "scratch")
    from pictures import dots, streamed

    from pipeline.models.mlp import MLP
    from pipeline.training import loop, session
    from pipeline.training.plan import Plan

    data = dots(2000)
    built = session.build(
        network=MLP(4, 1, 6, [16]),
        train=streamed(data) if is_streamed else data,
        test=None,
        learning_rate=0.01,
        momentum=0.9,
        batch_size=8,
        seed=1,
        precision="O0",
    )
    loop.train(
        built,
        folder / "checkpoints",
        "net",
        epochs=epochs,
        progress=lambda _samples: None,
        record=lambda _row: None,
        saved=lambda _path: None,
        plan=Plan(steps_per_graph=4, checkpoint_every_s=0.01, keep_checkpoints=3),
    )


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]), int(sys.argv[2]), is_streamed="stream" in sys.argv[3:])
    except KeyboardInterrupt:
        sys.exit(130)
