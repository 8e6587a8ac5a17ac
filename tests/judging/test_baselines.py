"""Baselines: what they answer, and what they reach on data whose answer is known."""

from __future__ import annotations

import math
import zlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from charrnn.judging import baselines
from charrnn.judging.baselines import MostFrequent, MostFrequentTag, NGramModel
from charrnn.judging.scores import accuracy

TEXTS = ["anna", "nana", "hans", "an", "otto", "tot", "x"]
LABELS = np.array([0, 0, 0, 0, 1, 1, 2], np.uint8)


def ngrams(text):
    edged = f"\0{text}\0"
    return [edged[i : i + n] for n in range(1, 6) for i in range(len(edged) - n + 1)]


def scores_by_hand(texts, labels, text):
    """Naive Bayes with a dictionary of n-grams."""
    counts = [
        Counter(g for t, label in zip(texts, labels, strict=True) if label == k for g in ngrams(t)) for k in range(3)
    ]
    different = len(set().union(*counts))
    found = []
    for k, counted in enumerate(counts):
        total = sum(counted.values()) + baselines.ALPHA * different
        known = [g for g in ngrams(text) if any(c[g] for c in counts)]
        prior = math.log(Counter(labels.tolist())[k] + baselines.ALPHA)
        found.append(prior + sum(math.log((counted[g] + baselines.ALPHA) / total) for g in known))
    return found


def test_the_most_frequent_label_is_answered_always():
    assert MostFrequent.fit(np.array([2, 1, 1, 2, 1])).predict(["a", "b"]).tolist() == [1, 1]


@pytest.mark.parametrize("text", ["nan", "tt", "xx", "hat", "", "ünseen"])
def test_the_model_of_n_grams_is_naive_bayes_by_hand(text):
    by_hand = scores_by_hand(TEXTS, LABELS, text)
    assert NGramModel.fit(TEXTS, LABELS, 3).predict([text]).tolist() == [int(np.argmax(by_hand))]


def test_the_table_of_n_grams_has_the_numbers_of_naive_bayes():
    model = NGramModel.fit(TEXTS, LABELS, 3)
    sums = model.log_shares + sum(
        np.bincount(items, model.log_probabilities[places, k], 1)[:, None] * np.eye(3)[k]
        for items, places in baselines._ngrams(["nanx"], baselines.MOST_ROWS)
        for k in range(3)
    )
    np.testing.assert_allclose(sums[0], scores_by_hand(TEXTS, LABELS, "nanx"), rtol=1e-5)


def test_every_n_gram_of_every_text_is_counted_once_however_they_are_cut(monkeypatch):
    texts = ["", "a", "ab", "abcdefgh", "é🦊", ""]
    expected = [len(ngrams(text)) for text in texts]
    for chunk in (1, 5, 1 << 20):
        monkeypatch.setattr(baselines, "CHUNK", chunk)
        items = np.concatenate([items for items, _ in baselines._ngrams(texts, 16)])
        assert np.bincount(items, minlength=len(texts)).tolist() == expected


def test_equal_n_grams_have_equal_places_and_others_have_others():
    by_place = {}
    texts = ["abcab", "cabca", "\x00a"]
    for n, (items, places) in enumerate(baselines._ngrams(texts, 1 << 30), 1):
        for k, text in enumerate(texts):
            edged = f"|{text}|"
            grams = [edged[i : i + n] for i in range(len(edged) - n + 1)]
            for gram, place in zip(grams, places[items == k].tolist(), strict=True):
                assert by_place.setdefault(gram, place) == place
    assert len(set(by_place.values())) == len(by_place)


def test_beginnings_and_ends_of_texts_tell_labels_apart():
    model = NGramModel.fit(["abb", "acb", "bba", "bca"] * 5, np.array([0, 0, 1, 1] * 5), 2)
    assert model.predict(["axx", "xxa"]).tolist() == [0, 1]


def test_many_labels_make_the_table_shorter_and_no_texts_have_no_answers(monkeypatch):
    monkeypatch.setattr(baselines, "MOST_NUMBERS", 4096)
    model = NGramModel.fit(TEXTS, LABELS, 3)
    assert model.log_probabilities.shape == (1024, 3)
    assert model.predict([]).shape == (0,)


def test_a_label_without_examples_is_never_answered():
    assert set(NGramModel.fit(TEXTS, LABELS, 5).predict(["zz", "", "anna"]).tolist()) <= {0, 1, 2}


def test_a_character_is_tagged_with_what_it_became_most_often():
    model = MostFrequentTag.fit(["aab", "ab"], ["AaB", "Ab"])
    assert model.predict(["abba?", ""]) == ["ABBA?", ""]


NAMES = Path(__file__).parents[3] / "shared" / "data" / "pairs" / "names_by_language.tsv"


@pytest.mark.skipif(not NAMES.exists(), reason="the names by language are not here")
def test_the_language_of_three_names_in_four_is_found_without_a_network():
    rows = [line.split("\t") for line in NAMES.read_text("utf-8").splitlines()]
    languages = sorted({language for language, _ in rows})
    tested = np.array([zlib.crc32(name.encode()) % 10 == 0 for _, name in rows])
    labels = np.array([languages.index(language) for language, _ in rows])
    train, test = ([rows[i][1] for i in np.flatnonzero(part)] for part in (~tested, tested))
    assert accuracy(labels[tested], MostFrequent.fit(labels[~tested]).predict(test)) == pytest.approx(0.451, abs=0.001)
    assert accuracy(labels[tested], NGramModel.fit(train, labels[~tested], 18).predict(test)) > 0.72
