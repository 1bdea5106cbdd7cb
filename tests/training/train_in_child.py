"""Trains in a process of its own, to be killed: FOLDER EPOCHS. Ctrl-C makes it exit with 130."""

from __future__ import annotations

import sys
from pathlib import Path

from pipeline.training import device


def main(folder: Path, epochs: int) -> None:
    """Trains a small network on made-up data."""
    device.prepare("CPU", precision="O0", seed=1, scratch=folder / "scratch")
    from pictures import dots

    from pipeline.models.mlp import MLP
    from pipeline.training import loop, session

    built = session.build(
        network=MLP(4, 1, 6, [16]),
        train=dots(2000),
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
    )


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]), int(sys.argv[2]))
    except KeyboardInterrupt:
        sys.exit(130)
