"""Whether two trainings did the same work: python -m benchmarks.trainings.compare ONE OTHER."""

from __future__ import annotations

import sys

import mindspore
import numpy as np


def main(one: str, other: str) -> None:
    """Ends with the names of the weights of one checkpoint that are not the other's bits."""
    weights, others = mindspore.load_checkpoint(one), mindspore.load_checkpoint(other)
    differing = [
        name
        for name, weight in weights.items()
        if name not in others or not np.array_equal(weight.asnumpy(), others[name].asnumpy())
    ]
    if differing or not weights:
        raise SystemExit(f"{one} and {other} differ in {', '.join(differing) or 'everything'}")


if __name__ == "__main__":
    main(*sys.argv[1:])
