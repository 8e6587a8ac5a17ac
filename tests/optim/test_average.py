"""The average of the weights against its closed form."""

from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from charrnn.optim import average, blocks

DECAYS = st.floats(0.01, 0.9999)
WEIGHTS = arrays(np.float64, st.tuples(st.integers(1, 30), st.integers(1, 7)), elements=st.floats(-1e3, 1e3))
"""Of up to 30 updates, each of up to 7 parameters."""


@given(WEIGHTS, DECAYS, st.integers(-5, 5))
def test_weights_that_do_not_change_are_their_own_average(weights, decay, first):
    params = weights[0]
    moving = params.copy()
    for n in range(1, 50):
        average.update(moving, params, decay, n)
    np.testing.assert_array_equal(moving, params)


@given(WEIGHTS, DECAYS)
def test_the_average_is_the_sum_that_its_formula_comes_to(weights, decay):
    """Of what it began with, here -1, and of each update's weights, with what later updates have left of them."""
    moving = np.full(weights.shape[1], -1.0)
    for n, params in enumerate(weights, 1):
        average.update(moving, params, decay, n)
    kept = [min(decay, (1 + n) / (10 + n)) for n in range(1, len(weights) + 1)]
    shares = [(1 - kept[k]) * math.prod(kept[k + 1 :]) for k in range(len(kept))]
    assert math.prod(kept) + sum(shares) == pytest.approx(1)
    np.testing.assert_allclose(moving, shares @ weights - math.prod(kept), rtol=1e-9, atol=1e-9)


def test_the_random_beginning_is_forgotten_within_twenty_updates():
    moving, zero = np.ones(1), np.zeros(1)
    for n in range(1, 21):
        average.update(moving, zero, 0.999, n)
    assert 0 < moving[0] < 1e-6


def test_once_enough_updates_are_done_the_decay_alone_decides():
    moving = np.ones(1)
    average.update(moving, np.zeros(1), 0.999, 10**6)
    assert moving[0] == pytest.approx(0.999)


def test_the_weights_are_left_alone_and_the_average_keeps_its_type(rng):
    params = rng.standard_normal(5).astype(np.float32)
    before, moving = params.copy(), np.zeros(5, np.float32)
    assert average.update(moving, params, 0.9, 3) is None
    np.testing.assert_array_equal(params, before)
    assert moving.dtype == np.float32


def test_many_blocks_give_the_bytes_of_one(rng, monkeypatch):
    start, params = rng.standard_normal((2, 11))
    results = []
    for size in (blocks.BLOCK_BYTES, 24):
        monkeypatch.setattr(blocks, "BLOCK_BYTES", size)
        moving = start.copy()
        average.update(moving, params, 0.9, 3)
        results.append(moving.tobytes())
    assert results[0] == results[1]


def test_no_memory_is_taken_that_grows_with_the_model():
    moving, params = np.zeros((2, 1_000_000), np.float32)
    tracemalloc.start()
    try:
        average.update(moving, params, 0.9, 3)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < params.nbytes / 10
