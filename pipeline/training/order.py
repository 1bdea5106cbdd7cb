"""The order of samples: a function of (seed, epoch), the same on every machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pipeline.data import Array


def permutation(samples: int, *, seed: int, epoch: int) -> Array:
    """Every index below `samples` once, int32, shuffled by seed and epoch alone.

    Sorts the raw numbers of a Philox generator keyed by (seed, epoch): raw numbers are the same in
    every numpy version, while the algorithm behind numpy's own shuffle may change.
    """
    generator = np.random.Philox(key=np.array([seed, epoch], dtype=np.uint64))
    return np.argsort(generator.random_raw(samples), kind="stable").astype(np.int32)


def steps_per_epoch(samples: int, batch_size: int) -> int:
    """How many batches an epoch has; with many ranks, of all their batches together."""
    return max(samples // batch_size, 1)


def batches(
    samples: int,
    batch_size: int,
    *,
    seed: int,
    epoch: int,
    rank: int = 0,
    size: int = 1,
    parts: int = 1,
) -> Array:
    """The epoch's batches of one rank as index rows of one length, the same on every rank.

    The ranks' batches of a step lie side by side in the order of the whole set. What does not fill
    a last batch of each is left out, as is the custom: it would need a second graph, and another
    epoch's order brings it in. Fewer samples than that are one step of equal parts.
    """
    indices = permutation(samples, seed=seed, epoch=epoch)
    length = batch_length(samples, batch_size, size=size, parts=parts)
    steps = steps_per_epoch(samples, batch_size * size)
    shares = indices[: steps * size * length].reshape(steps, size, length)
    return np.ascontiguousarray(shares[:, rank])


def batch_length(samples: int, batch_size: int, *, size: int = 1, parts: int = 1) -> int:
    """How many samples each rank's batches really have: 0 if there are not `parts` for each rank.

    A batch that is worked through in parts, for accumulated gradients, has parts of one length.
    """
    return min(batch_size, samples // size // parts * parts)


def epoch_seed(seed: int, epoch: int) -> int:
    """A seed for what is random in this epoch, 31 bits; no two epochs near each other share it."""
    generator = np.random.Philox(key=np.array([seed, epoch], dtype=np.uint64))
    # The order has used the first numbers of this generator; these are further on.
    return int(generator.advance(1 << 40).random_raw()) >> 33
