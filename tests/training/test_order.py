"""The order of samples is a function of seed and epoch."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.training import order

SEEDS = st.integers(0, 2**32)


@given(samples=st.integers(1, 300), size=st.integers(1, 64), seed=SEEDS, epoch=st.integers(1, 99))
def test_no_sample_comes_twice_and_at_most_a_short_batch_is_left_out(
    samples: int, size: int, seed: int, epoch: int
):
    """An epoch's batches are of one size and share no sample."""
    batches = list(order.batches(samples, size, seed=seed, epoch=epoch))

    used = np.concatenate(batches)
    assert {len(batch) for batch in batches} == {min(size, samples)}
    assert len(set(used.tolist())) == len(used) > samples - min(size, samples)
    assert used.min() >= 0
    assert used.max() < samples


@given(samples=st.integers(1, 300), length=st.integers(1, 64), size=st.integers(1, 9), seed=SEEDS)
def test_ranks_share_the_batches_of_one_process(samples: int, length: int, size: int, seed: int):
    """Side by side, their batches are those of one process whose batches are as long as all."""
    shares = [
        list(order.batches(samples, length, seed=seed, epoch=1, rank=rank, size=size))
        for rank in range(size)
    ]
    whole = list(order.batches(samples, length * size, seed=seed, epoch=1))

    share_length = order.batch_length(samples, length, size=size)
    together = [np.concatenate(step) for step in zip(*shares)]
    assert {len(batch) for share in shares for batch in share} == {share_length}
    assert len(together) == len(whole)
    assert all(
        np.array_equal(step, batch[: share_length * size]) for step, batch in zip(together, whole)
    )


def test_the_order_is_the_same_everywhere():
    """These numbers hold on every machine and with every numpy."""
    assert order.permutation(10, seed=1, epoch=1).tolist() == [0, 6, 5, 3, 4, 9, 7, 8, 2, 1]


def test_seed_and_epoch_change_the_order():
    """Each has an effect of its own."""
    orders = {
        tuple(order.permutation(50, seed=seed, epoch=epoch)) for seed in (0, 1) for epoch in (0, 1)
    }

    assert len(orders) == 4
