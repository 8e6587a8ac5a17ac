"""The arithmetic coder: what is put in comes out, at the price that its probabilities mean."""

from __future__ import annotations

import math
import random

import pytest

from charrnn.compressing.coder import MOST_TOTAL, Decoder, Encoder


def choices(rng, count):
    """Intervals of all kinds: likely, unlikely, at either end, of small totals and of the largest."""
    for _ in range(count):
        total = rng.choice([2, 3, 256, 1 << 30, MOST_TOTAL, rng.randrange(1, MOST_TOTAL)])
        size = rng.choice([1, max(1, total - 1), rng.randrange(1, total + 1)])
        start = rng.choice([0, total - size, rng.randrange(0, total - size + 1)])
        yield start, size, total


def encoded(intervals):
    encoder = Encoder()
    for interval in intervals:
        encoder.put(*interval)
    return encoder.finish()


@pytest.mark.parametrize("seed", range(8))
def test_what_is_put_in_comes_out(seed):
    rng = random.Random(seed)
    for _ in range(100):
        intervals = list(choices(rng, rng.randrange(60)))
        decoder = Decoder(encoded(intervals))
        for start, size, total in intervals:
            assert start <= decoder.target(total) < start + size
            decoder.take(start, size)


def test_an_addition_carries_into_what_is_written():
    """A choice at the upper end of each interval, and then one that goes beyond it."""
    intervals = [(254, 2, 256)] * 40 + [(255, 1, 256)] * 40
    decoder = Decoder(encoded(intervals))
    for start, size, total in intervals:
        assert start <= decoder.target(total) < start + size
        decoder.take(start, size)


@pytest.mark.parametrize("seed", range(5))
def test_a_choice_costs_what_its_probability_means(seed):
    rng = random.Random(seed)
    intervals = list(choices(rng, 3000))
    bits = -sum(math.log2(size / total) for _, size, total in intervals)
    assert bits - 16 <= 8 * len(encoded(intervals)) <= bits + 16


def test_nothing_costs_nothing():
    assert encoded([]) == b""
    assert encoded([(0, 5, 5)] * 1000) == b""


def test_bytes_of_anything_are_read_without_an_error():
    decoder = Decoder(random.Random(1).randbytes(50))
    for _ in range(200):
        found = decoder.target(7)
        assert 0 <= found < 7
        decoder.take(found, 1)
