"""Items are split, put in batches of like length, and padded; none is lost, and none is read twice."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn.errors import DataError
from charrnn.text.items import Buckets, encode_items, pad, replace_rare, split_items
from charrnn.text.vocabulary import Vocabulary

SHARES = st.sampled_from([(0.8, 0.1, 0.1), (0.9, 0.1, 0.0), (0.9, 0.0, 0.1), (1.0, 0.0, 0.0), (0.1, 0.2, 0.7)])
KEYS = st.lists(st.integers(0, 12), max_size=60) | st.lists(st.integers(0, 10**9), max_size=60)


# --- splits ---


@given(KEYS, SHARES, st.integers(0, 9))
def test_each_item_is_in_one_part_and_equal_keys_are_never_in_two(keys, shares, seed):
    parts = split_items(keys, shares, seed)
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(keys)))
    found = [{keys[i] for i in part.tolist()} for part in parts]
    assert sum(map(len, found)) == len(set(keys))
    assert all(len(part) == 0 for part, share in zip(parts, shares, strict=True) if share == 0)


@given(KEYS, SHARES, st.integers(0, 9))
def test_a_part_misses_its_share_by_less_than_the_largest_group_of_equal_items(keys, shares, seed):
    largest = max(Counter(keys).values(), default=1)
    for part, share in zip(split_items(keys, shares, seed), shares, strict=True):
        assert abs(len(part) - share * len(keys)) <= largest + 0.5


def test_the_parts_of_distinct_items_are_as_large_as_asked():
    assert [len(part) for part in split_items(range(1000), (0.8, 0.15, 0.05), 0)] == [800, 150, 50]


def test_the_largest_groups_of_equal_items_are_placed_first():
    for seed in range(20):
        parts = split_items("aaaaa" + "bbb" + "cc", (0.5, 0.3, 0.2), seed)
        assert [sorted(part.tolist()) for part in parts] == [[0, 1, 2, 3, 4], [5, 6, 7], [8, 9]]


def test_a_group_larger_than_a_part_does_not_swallow_it():
    for seed in range(20):
        train, validation, test = split_items(["often"] * 400 + [*map(str, range(600))], (0.8, 0.1, 0.1), seed)
        assert (len(train), len(validation), len(test)) == (800, 100, 100)


def test_the_seed_decides_and_each_item_may_come_to_each_part():
    first = split_items("abcdefghij" * 3, (0.6, 0.2, 0.2), 1)
    for part, again in zip(first, split_items("abcdefghij" * 3, (0.6, 0.2, 0.2), 1), strict=True):
        np.testing.assert_array_equal(part, again)
    seen = [Counter[int]() for _ in range(3)]
    for seed in range(300):
        for counter, part in zip(seen, split_items(range(10), (0.6, 0.2, 0.2), seed), strict=True):
            counter.update(part.tolist())
    for counter, expected in zip(seen, (180, 60, 60), strict=True):
        assert len(counter) == 10
        assert max(abs(count - expected) for count in counter.values()) < 45


def test_a_part_is_in_no_order():
    train, validation, _ = split_items(range(1000), (0.5, 0.5, 0.0), 3)
    for part in (train, validation):
        assert abs(np.corrcoef(np.arange(500), part)[0, 1]) < 0.2


# --- batches ---

LENGTHS = st.lists(st.integers(0, 20), max_size=80).map(np.array)
PAIRED = st.lists(st.tuples(st.integers(1, 12), st.integers(0, 12)), min_size=1, max_size=80).map(np.array)


@given(LENGTHS | PAIRED, st.integers(1, 200), st.integers(0, 3))
def test_an_epoch_has_every_item_once(lengths, chars, seed):
    buckets = Buckets(lengths, chars, seed)
    for epoch in range(3):
        rows = [buckets.rows(epoch * len(buckets) + i) for i in range(len(buckets))]
        assert sorted(i for some in rows for i in some.tolist()) == list(range(len(lengths)))
        assert all(len(some) for some in rows)


@given(LENGTHS | PAIRED, st.integers(1, 200))
def test_a_batch_takes_no_more_steps_than_asked_unless_it_has_one_item(lengths, chars):
    buckets = Buckets(lengths, chars, 0)
    for i in range(len(buckets)):
        rows = buckets.rows(i)
        some = lengths[rows].reshape(len(rows), -1)
        assert len(rows) == 1 or len(rows) * some.max(axis=0).clip(1).sum() <= chars
        assert (np.diff(some[:, 0]) <= 0).all()  # the longest first


def test_the_second_length_does_not_jump_where_the_first_changes():
    buckets = Buckets(np.array([[2, 1], [2, 9], [1, 9], [1, 1]]), 6, 0)
    assert sorted(sorted(buckets.rows(i).tolist()) for i in range(len(buckets))) == [[0, 3], [1], [2]]


@given(LENGTHS | PAIRED, st.integers(1, 200))
def test_the_shapes_of_the_batches_are_the_same_in_every_epoch(lengths, chars):
    buckets = Buckets(lengths, chars, 5)

    def shapes(epoch):
        rows = [buckets.rows(epoch * len(buckets) + i) for i in range(len(buckets))]
        return Counter((len(some), lengths[some].max(axis=0).tobytes()) for some in rows)

    assert shapes(0) == shapes(1) == shapes(7)


@given(LENGTHS, st.integers(1, 100), st.lists(st.integers(0, 400), min_size=1, max_size=12))
def test_the_batch_of_a_number_is_the_same_whatever_was_asked_before(lengths, chars, numbers):
    buckets = Buckets(lengths, chars, 2)
    if len(buckets):
        for number in [*numbers, *numbers[::-1]]:
            np.testing.assert_array_equal(buckets.rows(number), Buckets(lengths, chars, 2).rows(number))


def test_epochs_and_seeds_differ_in_the_order_of_batches_and_in_what_shares_one():
    lengths = np.repeat([5, 6, 7, 8], 100)

    def epoch(number, seed):
        buckets = Buckets(lengths, 160, seed)
        return [frozenset(buckets.rows(number * len(buckets) + i).tolist()) for i in range(len(buckets))]

    first, second, other = epoch(0, 0), epoch(1, 0), epoch(0, 1)
    assert not set(first) & set(second)
    assert not set(first) & set(other)
    longest = [[max(lengths[list(rows)]) for rows in some] for some in (first, second, other)]
    assert len({tuple(some) for some in longest}) == 3


@given(LENGTHS | PAIRED, st.integers(1, 200))
def test_padding_is_what_the_batches_have_beyond_their_items(lengths, chars):
    buckets = Buckets(lengths, chars, 0)
    steps = sum(len(rows) * lengths[rows].max(axis=0).sum() for rows in map(buckets.rows, range(len(buckets))))
    assert buckets.padded == pytest.approx(1 - lengths.sum() / steps if steps else 0)


PAIRS = Path(__file__).parents[3] / "shared" / "data" / "pairs"


@pytest.mark.parametrize("name", ["names_by_language", "sms_spam", "splice", "cmudict_train"])
def test_little_of_real_items_is_padding(name):
    if not (path := PAIRS / f"{name}.tsv").exists():
        pytest.skip("the file is not here")
    rows = [line.split("\t") for line in path.read_text("utf-8").splitlines()]
    lengths = np.array([[len(first), len(second)] for first, second in rows])
    assert Buckets(lengths if name.startswith("cmudict") else lengths[:, 1], 2048, 0).padded < 0.02


# --- padding ---


@given(st.lists(st.lists(st.integers(0, 200), max_size=9), max_size=9))
def test_padded_sequences_stand_side_by_side_with_nothing_but_0_behind_them(sequences):
    ids, lengths = pad([np.array(some, np.uint8) for some in sequences])
    assert ids.shape == (max([1, *map(len, sequences)]), len(sequences))
    for b, some in enumerate(sequences):
        assert ids[:, b].tolist() == some + [0] * (len(ids) - len(some))
    assert lengths.tolist() == [len(some) for some in sequences]
    assert ids.flags.c_contiguous


@given(st.lists(st.text("abcxyé🦊", max_size=6), max_size=8))
def test_texts_are_encoded_each_for_itself_with_what_is_not_known_marked(texts):
    vocabulary = Vocabulary.of("abcé")
    for ids, text in zip(encode_items(vocabulary, texts, 4), texts, strict=True):
        assert ids.tolist() == ["abcé".find(c) if c in "abcé" else 4 for c in text]
        np.testing.assert_array_equal(ids, vocabulary.encode_known(text, 4))


def test_without_a_symbol_for_unknown_ones_they_are_an_error():
    assert [ids.tolist() for ids in encode_items(Vocabulary.of("ab"), ["ab", "", "b"])] == [[0, 1], [], [1]]
    with pytest.raises(DataError, match="'x'"):
        encode_items(Vocabulary.of("ab"), ["ab", "x"])


def test_an_id_for_unknown_ones_fits_where_those_of_the_vocabulary_just_do():
    vocabulary = Vocabulary("".join(map(chr, range(1000, 1256))))
    assert vocabulary.encode_known(chr(1255) + "a", 256).tolist() == [255, 256]


# --- rare characters ---


def test_a_character_is_taken_for_unknown_the_more_often_the_rarer_it_is():
    counts = np.array([0, 1, 5, 10**9])
    ids = np.repeat(np.arange(5), 20_000).reshape(-1, 5)
    replaced = replace_rare(ids, counts, 4, seed=0, iteration=0)
    shares = [(replaced[ids == i] == 4).mean() for i in range(5)]
    np.testing.assert_allclose(shares, [1, 0.2, 0.25 / 5.25, 0, 1], atol=0.01)
    np.testing.assert_array_equal(replaced[replaced != 4], ids[replaced != 4])


def test_iteration_and_seed_decide_which_are_taken_for_unknown():
    ids, counts = np.zeros((50, 8), np.uint8), np.array([0.25])
    first = replace_rare(ids, counts, 300, 1, 7)
    np.testing.assert_array_equal(first, replace_rare(ids, counts, 300, 1, 7))
    assert set(first.ravel().tolist()) == {0, 300}
    assert (first != replace_rare(ids, counts, 300, 1, 8)).any()
    assert (first != replace_rare(ids, counts, 300, 2, 7)).any()
    assert not ids.any()
