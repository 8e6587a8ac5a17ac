"""A text as parallel streams, windows and splits."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn.errors import DataError
from charrnn.text.streams import CUTS, Streams, Windows, side_by_side, split_columns, split_tail

SIZES = st.tuples(st.integers(1, 5), st.integers(1, 7))  # batch_size, seq_length


def positions(n):
    """A text each of whose characters is its own position, so that a batch tells where it was read."""
    return np.arange(n)


@st.composite
def windows(draw):
    B, T = draw(SIZES)
    n = draw(st.integers(B * T + 1, B * T * 6))
    return Windows(split_tail(positions(n), (1, 0, 0), B, T).train, T), n


@given(windows())
def test_a_target_is_the_character_after_its_input(case):
    w, n = case
    for iteration in range(3 * len(w)):
        x, y, *_ = w.batch(iteration)
        np.testing.assert_array_equal(y, x + 1)
        assert x.min() >= 0
        assert y.max() < n


@given(windows())
def test_each_row_goes_on_where_it_stopped_until_the_epoch_ends(case):
    w, _ = case
    for iteration in range(1, 3 * len(w)):
        if iteration % len(w):
            np.testing.assert_array_equal(w.batch(iteration).x[0], w.batch(iteration - 1).y[-1])


@given(windows())
def test_only_the_first_window_of_an_epoch_starts_a_text_and_there_all_rows_do(case):
    w, _ = case
    for iteration in range(3 * len(w)):
        starts = w.batch(iteration).starts
        assert starts.shape == (w.streams.batch_size,)
        assert (starts == (iteration % len(w) == 0)).all()


@given(windows())
def test_a_character_is_a_target_once_an_epoch_at_most_and_each_in_turn(case):
    w, n = case
    B, T = w.streams.batch_size, w.seq_length
    length = (n - 1) // B
    begins = length % T + 1  # epochs begin at so many different characters
    seen = Counter()
    for epoch in range(begins):
        in_epoch = Counter()
        for window in range(len(w)):
            in_epoch.update(w.batch(epoch * len(w) + window).y.ravel().tolist())
        assert set(in_epoch.values()) == {1}
        assert len(in_epoch) == length // T * T * B
        seen += in_epoch
    expected = Counter()
    for b in range(B):
        for epoch in range(begins):
            expected.update(range(b * length + epoch + 1, b * length + epoch + 1 + length // T * T))
    assert seen == expected
    assert sorted(seen) == list(range(1, B * length + 1))
    assert n - len(seen) <= B  # but for the first, which nothing predicts, and fewer than B that fill no row


def test_windows_beyond_the_ends_repeat_the_last_character():
    streams = Streams(positions(10), np.array([0, 6]), np.array([6, 3]), np.array([0, 6]))
    x, y = streams.window(0, 6)
    assert x.T.tolist() == [[0, 1, 2, 3, 4, 5], [6, 7, 8, 9, 9, 9]]
    assert y.T.tolist() == [[1, 2, 3, 4, 5, 6], [7, 8, 9, 9, 9, 9]]
    assert streams.window(-2, 2)[0].T.tolist() == [[0, 0], [4, 5]]


@given(st.integers(0, 40_000), st.integers(0, 100), st.integers(0, 100))
def test_side_by_side_predicts_every_character_but_the_first_exactly_once(n, before, after):
    streams = side_by_side(positions(before + n + after), before, before + n)
    predicted = [streams.window(0, int(length))[1][:, b].tolist() for b, length in enumerate(streams.lengths) if length]
    assert [i for row in predicted for i in row] == list(range(before + 1, before + n))
    assert streams.batch_size <= 32


@given(st.integers(1100, 40_000))
def test_side_by_side_tells_how_far_back_each_stream_may_read(n):
    streams = side_by_side(positions(n), 0, n)
    np.testing.assert_array_equal(streams.context, streams.first)
    assert streams.lengths[:-1].min() >= 512


def test_a_tail_split_has_the_sizes_asked_for_in_the_order_of_the_text():
    train, validation, test = split_tail(positions(1000), (0.8, 0.15, 0.05), 4, 10)
    assert train.first.tolist() == [0, 199, 398, 597]
    assert train.lengths.tolist() == [199] * 4
    assert (validation.first.tolist(), validation.lengths.tolist()) == ([800], [149])
    assert (test.first.tolist(), test.lengths.tolist()) == ([950], [49])


@given(SIZES, st.sampled_from([(0.9, 0.05, 0.05), (0.8, 0.1, 0.1), (0.95, 0.05, 0.0), (0.5, 0.0, 0.5)]))
def test_the_parts_of_a_tail_split_share_no_target(sizes, fractions):
    B, T = sizes
    n = 40 * B * T + 100
    seen = Counter()
    for part in split_tail(positions(n), fractions, B, T):
        for b, length in enumerate(part.lengths):
            seen.update(part.window(0, int(length))[1][:, b].tolist() if length else [])
    assert max(seen.values()) == 1
    assert max(seen) < n


@given(
    SIZES,
    st.integers(20, 100),
    st.integers(0, 30),
    st.sampled_from([(0.95, 0.05, 0.0), (0.8, 0.1, 0.1), (0.5, 0.25, 0.25), (1.0, 0.0, 0.0), (0.6, 0.3, 0.1)]),
)
def test_a_column_split_is_that_of_a_naive_loader_after_karpathys(sizes, count, more, fractions):
    B, T = sizes
    ids = np.random.default_rng(count).integers(0, 50, count * B * T + 1 + more % (B * T))
    # char-rnn's loader: cut to a multiple of B * T, view as B rows, split the columns into windows, shift for targets
    rows = ids[: count * B * T].reshape(B, -1)
    targets = ids[1 : count * B * T + 1].reshape(B, -1)
    x = [rows[:, i * T : (i + 1) * T] for i in range(count)]
    y = [targets[:, i * T : (i + 1) * T] for i in range(count)]
    ntrain = int(count * fractions[0])
    nval = count - ntrain if fractions[2] == 0 else int(count * fractions[1])
    naive = [(0, ntrain), (ntrain, ntrain + nval), (ntrain + nval, count)]

    for part, (start, stop) in zip(split_columns(ids, fractions, B, T), naive, strict=True):
        w = Windows(part, T)
        assert len(w) == stop - start
        for i in range(len(w)):
            np.testing.assert_array_equal(w.batch(i).x.T, x[start + i])
            np.testing.assert_array_equal(w.batch(i).y.T, y[start + i])


def test_a_text_too_short_is_refused_with_what_is_needed_and_what_was_found():
    with pytest.raises(DataError, match="has 640 characters, and batch_size 32 x seq_length 20 needs 641"):
        split_tail(positions(640), (1, 0, 0), 32, 20)
    split_tail(positions(641), (1, 0, 0), 32, 20)


@pytest.mark.parametrize(("fractions", "part"), [((0.98, 0.02, 0), "validation"), ((0.98, 0, 0.02), "test")])
def test_a_part_too_short_to_evaluate_is_named(fractions, part):
    with pytest.raises(DataError, match=f"its {part} part has 1 of the 2 characters needed"):
        split_tail(positions(99), fractions, 2, 3)


@pytest.mark.parametrize("fractions", [(0.95, 0.05, 0.0), (0.8, 0.1, 0.1), (0.5, 0.2, 0.3)])
def test_a_column_split_of_as_many_characters_as_its_error_asks_for_succeeds(fractions):
    with pytest.raises(DataError) as error:
        split_columns(positions(21), fractions, 4, 5)
    assert "it has 21 characters, and batch_size 4 x seq_length 5" in str(error.value)
    needed = int(re.search(r"needs ([\d,]+)", str(error.value))[1].replace(",", ""))
    parts = split_columns(positions(needed), fractions, 4, 5)
    assert [bool(part.lengths.sum()) for part in parts] == [bool(fraction) for fraction in fractions]


@pytest.mark.parametrize("split_by", CUTS)
@pytest.mark.parametrize("n", [30, 200, 1000])
def test_following_the_advice_of_the_error_makes_a_short_text_fit(n, split_by):
    fractions, sizes = (0.8, 0.1, 0.1), {"batch_size": 50, "seq_length": 50}
    with pytest.raises(DataError) as error:
        CUTS[split_by](positions(n), fractions, **sizes)
    for name, value in re.findall(r"--set train\.(\w+)=(\d+)", str(error.value)):
        sizes[name] = int(value)
    CUTS[split_by](positions(n), fractions, **sizes)
