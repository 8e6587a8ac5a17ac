"""Baselines: what they answer, and what they reach on data whose answer is known."""

from __future__ import annotations

import math
import zlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from charrnn.judging import ngrams
from charrnn.judging.baselines import MostFrequent, MostFrequentTag
from charrnn.judging.ngrams import NGramModel
from charrnn.judging.scores import accuracy


def test_the_most_frequent_label_is_answered_always():
    assert MostFrequent.fit(np.array([2, 1, 1, 2, 1])).predict(["a", "b"]).tolist() == [1, 1]


def test_a_character_is_tagged_with_what_it_became_most_often():
    model = MostFrequentTag.fit(["aab", "ab"], ["AaB", "Ab"])
    assert model.predict(["abba?", ""]) == ["ABBA?", ""]


# --- the model of n-grams ---


def by_hand(text):
    """How often each n-gram is in a text with edges."""
    edged = f"|{text}|"
    return Counter(edged[i : i + n] for n in range(1, 6) for i in range(len(edged) - n + 1))


TEXTS = ["", "a", "ab", "banana", "é🦊é", "", "abcdefgh" * 3]


@pytest.mark.parametrize("chunk", [1, 5, 1 << 20])
def test_the_features_of_a_text_are_its_n_grams_however_texts_are_cut(monkeypatch, chunk):
    monkeypatch.setattr(ngrams, "CHUNK", chunk)
    features = ngrams._features(TEXTS, 1 << 30)
    for i, text in enumerate(TEXTS):
        expected = np.array(sorted(1 + math.log(count) for count in by_hand(text).values()))
        found = np.sort(features.values[features.starts[i] : features.starts[i + 1]])
        np.testing.assert_allclose(found, expected / np.sqrt(expected @ expected), rtol=1e-6)
    assert features.starts[-1] == len(features.places) == len(features.values)


def test_equal_n_grams_have_equal_places_and_others_have_others():
    by_place = {}
    texts = ["abcab", "cabca", "\x00a"]
    for n, (items, places) in enumerate(ngrams._ngrams(texts, 1 << 30), 1):
        for k, text in enumerate(texts):
            edged = f"|{text}|"
            grams = [edged[i : i + n] for i in range(len(edged) - n + 1)]
            for gram, place in zip(grams, places[items == k].tolist(), strict=True):
                assert by_place.setdefault(gram, place) == place
    assert len(set(by_place.values())) == len(by_place)


def test_features_of_some_texts_are_theirs_in_the_order_asked_for():
    features = ngrams._features(TEXTS, 1 << 30)
    some, alone = features.of(np.array([3, 1])), ngrams._features([TEXTS[3], TEXTS[1]], 1 << 30)
    for found, expected in zip(some, alone, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_an_update_goes_against_the_gradient_of_the_loss():
    rng = np.random.default_rng(0)
    features, labels = ngrams._features(["ab", "banana", "x"], 64), np.array([0, 2, 1])
    weights, bias = rng.normal(size=(64, 3)), rng.normal(size=3)

    def loss(weights, bias):
        logits = ngrams._logits(weights, bias, features)
        return (np.logaddexp.reduce(logits, axis=1) - logits[np.arange(3), labels]).sum()

    moved, moved_bias = weights.copy(), bias.copy()
    ngrams._update(moved, moved_bias, np.full(64, 1e12), features, labels, 1e2)  # so that all rows have one rate, 1e-4
    for new, old, rate, at in (
        (moved, weights, 1e-4, lambda w: loss(w, bias)),
        (moved_bias, bias, 1.0, lambda b: loss(weights, b)),
    ):
        numeric = np.zeros_like(old)
        for index in np.ndindex(old.shape):
            step = np.zeros_like(old)
            step[index] = 1e-5
            numeric[index] = (at(old + step) - at(old - step)) / 2e-5
        np.testing.assert_allclose((old - new) / rate, numeric, rtol=1e-4, atol=1e-6)


def test_beginnings_and_ends_of_texts_tell_labels_apart():
    model = NGramModel.fit(["abb", "acb", "bba", "bca"] * 5, np.array([0, 0, 1, 1] * 5, np.uint8), 2)
    assert model.predict(["axx", "xxa"]).tolist() == [0, 1]


def test_every_text_has_an_answer_the_same_alone_as_among_others(monkeypatch):
    model = NGramModel.fit(["anna", "otto", "", "ü"], np.array([0, 1, 2, 2]), 3)
    texts = ["an", "", "tt", "日本", "x" * 9000] * 7
    together = model.predict(texts)
    assert together.tolist() == [model.predict([text]).item() for text in texts]
    monkeypatch.setattr(ngrams, "CHUNK", 20)
    assert together.tolist() == model.predict(texts).tolist()
    assert model.predict([]).shape == (0,)


def test_the_same_examples_make_the_same_model():
    texts, labels = [f"{n:b}" for n in range(90)], np.arange(90) % 3
    one, other = (NGramModel.fit(texts, labels, 3) for _ in range(2))
    np.testing.assert_array_equal(one.weights, other.weights)


def test_many_labels_make_the_table_shorter_and_much_text_is_read_in_part(monkeypatch):
    monkeypatch.setattr(ngrams, "MOST_NUMBERS", 4096)
    monkeypatch.setattr(ngrams, "WORK", 12_800)
    texts, labels = ["aaaa", "bbbb", "cccc"] * 100, np.array([0, 1, 2] * 100)
    assert len(ngrams._affordable(texts, 3, np.random.default_rng(0))) == 12_800 // 13 // 5 // 4
    model = NGramModel.fit(texts, labels, 3)
    assert model.weights.shape == (1024, 3)
    assert model.predict(["aa", "bb", "cc"]).tolist() == [0, 1, 2]


def test_a_text_longer_than_all_that_can_be_afforded_is_learnt_from():
    assert len(ngrams._affordable(["a" * 10**6], 10**9, np.random.default_rng(0))) == 1


NAMES = Path(__file__).parents[3] / "shared" / "data" / "pairs" / "names_by_language.tsv"


@pytest.mark.skipif(not NAMES.exists(), reason="the names by language are not here")
def test_the_language_of_three_names_in_four_is_found_without_a_network():
    rows = [line.split("\t") for line in NAMES.read_text("utf-8").splitlines()]
    languages = sorted({language for language, _ in rows})
    tested = np.array([zlib.crc32(name.encode()) % 10 == 0 for _, name in rows])
    labels = np.array([languages.index(language) for language, _ in rows])
    train, test = ([rows[i][1] for i in np.flatnonzero(part)] for part in (~tested, tested))
    assert accuracy(labels[tested], MostFrequent.fit(labels[~tested]).predict(test)) == pytest.approx(0.451, abs=0.001)
    assert accuracy(labels[tested], NGramModel.fit(train, labels[~tested], 18).predict(test)) > 0.74
