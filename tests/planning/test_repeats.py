"""Repeated passages, found by fingerprints and by comparing every passage with every other."""

from __future__ import annotations

import numpy as np
import pytest

from charrnn.planning import repeats
from charrnn.planning.repeats import PASSAGE, repeated


def plainly(codes):
    """Marks each window that equals a block, or a block that equals an earlier window, by comparing them all."""
    n, marks = len(codes), np.zeros(len(codes), bool)
    first = {}
    for start in range(0, n - PASSAGE + 1, PASSAGE):
        first.setdefault(codes[start : start + PASSAGE].tobytes(), start)
    for i in range(n - PASSAGE + 1):
        block = first.get(codes[i : i + PASSAGE].tobytes())
        if block is not None and abs(block - i) >= PASSAGE:
            marks[max(i, block) : max(i, block) + PASSAGE] = True
    return marks


def prose(rng, n, symbols=50):
    return rng.integers(symbols, size=n).astype(np.uint8)


def test_what_is_found_is_what_comparing_every_window_finds(rng):
    text = prose(rng, 900)
    codes = np.concatenate([text, text[100:400], prose(rng, 45), text[300:433], text[7:30], np.zeros(200, np.uint8)])
    marks = repeated(codes)
    np.testing.assert_array_equal(marks, plainly(codes))
    assert marks.any()


@pytest.mark.parametrize("offset", range(0, PASSAGE, 7))
def test_a_passage_of_two_blocks_is_found_wherever_it_stands(rng, offset):
    text = prose(rng, 3000)
    passage = text[1000 + offset : 1000 + offset + 2 * PASSAGE - 1]
    marks = repeated(np.concatenate([text, prose(rng, 13), passage]))
    assert not marks[: len(text)].any()  # what stands first is repeated by the other, and repeats nothing
    assert marks[-len(passage) :].sum() >= PASSAGE


def test_a_text_that_is_there_twice_is_half_repeated(rng):
    text = prose(rng, 5000)
    assert repeated(np.concatenate([text, text])).mean() == pytest.approx(0.5, abs=2 * PASSAGE / 10000)


@pytest.mark.parametrize("n", [0, 1, PASSAGE - 1, PASSAGE, PASSAGE + 1])
def test_a_text_of_one_block_repeats_nothing(n):
    assert not repeated(np.zeros(n, np.uint8)).any()


def test_passages_are_found_across_the_borders_of_what_is_compared_at_a_time(rng, monkeypatch):
    monkeypatch.setattr(repeats, "CHUNK", 100)
    text = prose(rng, 700)
    codes = np.concatenate([text, text[33:600], prose(rng, 20)])
    np.testing.assert_array_equal(repeated(codes), plainly(codes))
