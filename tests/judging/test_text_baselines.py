"""What n-grams and compressors reach on a text: proper distributions, the formula, and the characters counted."""

from __future__ import annotations

import gzip
import math

import numpy as np
import pytest

from charrnn.judging import text_baselines
from charrnn.judging.back_off import probabilities
from charrnn.tasks.base import Batching
from charrnn.tasks.documents import DocumentModel
from charrnn.tasks.language_model import LanguageModel
from charrnn.text.documents import Documents
from charrnn.text.encoding import decode
from charrnn.text.options import DataConfig

V = 5


def last_of(learnt, contexts, longest=6):
    """The probability of the last character of each context, from n-grams that were counted in `learnt`."""
    ids = np.concatenate([[-1], learnt, *contexts])
    counted = np.arange(len(ids)) <= len(learnt)
    counted[0] = False
    asked = np.zeros(len(ids), bool)
    asked[len(learnt) + np.cumsum([len(context) for context in contexts])] = True
    return list(probabilities(ids, counted, asked, V, longest))


@pytest.mark.parametrize("size", [1, 7, 300])
def test_n_grams_of_every_order_are_a_distribution_after_any_context(rng, size):
    learnt = rng.integers(4, size=size)  # the fifth character was never seen
    for context in rng.integers(V, size=(30, 5)):
        for p in last_of(learnt, [np.append(context, c) for c in range(V)]):
            assert p.sum() == pytest.approx(1)
            assert (p > 0).all()


def test_a_bigram_is_that_of_the_formula():
    learnt = [0, 1, 0, 1, 0, 2]  # after 0 stand 1, 1 and 2
    uniform, unigram, bigram = last_of(learnt, [[0, 1], [0, 2], [0, 3], [2, 0]], longest=2)
    assert uniform.tolist() == [0.2] * 4
    expected = [(2 + 3 / 5) / 9, (1 + 3 / 5) / 9, (3 / 5) / 9, (3 + 3 / 5) / 9]
    assert unigram.tolist() == pytest.approx(expected)
    one, two, three, zero = expected
    assert bigram.tolist() == pytest.approx([(2 + 2 * one) / 5, (1 + 2 * two) / 5, 2 * three / 5, zero])


DATA = DataConfig()
BATCHING = Batching(4, 8, 1, None)
WORDS = "".join(f"the {'quick' if n % 3 else 'slow'} fox {n * n % 7} jumps.\n" for n in range(400))


def of_text(text, data=DATA, batching=BATCHING, name="validation"):
    examples = decode([text.encode()], "a text", "utf-8")
    task = LanguageModel.of(examples, data, batching)
    return task.baselines(examples, data, batching, name), examples, task


def test_a_text_has_each_baseline_in_nats_and_bits_and_longer_n_grams_know_more():
    found, _, task = of_text(WORDS)
    after = [f"{name}_after_training" for name in ("gzip", "xz")]  # bz2 needs less for more of these words
    grams = ["unigram", *(f"{n}_grams" for n in range(2, 7))]
    assert list(found) == ["uniform", *grams, "gzip", "bz2", "xz", *after]
    for scores in found.values():
        assert scores["bits_per_char"] == pytest.approx(scores["nats_per_char"] / math.log(2))
    assert found["uniform"]["nats_per_char"] == pytest.approx(math.log(len(task.vocabulary)))
    nats = [found[name]["nats_per_char"] for name in ("uniform", *grams[:4])]
    assert nats == sorted(nats, reverse=True)


def test_a_compressor_is_measured_alone_and_by_what_it_needs_after_the_training_text():
    found, examples, _ = of_text(WORDS)
    N = len(examples)
    start = N - 2 * int(N * 0.05)
    text = WORDS[start + 1 : start + int(N * 0.05)].encode()
    assert found["gzip"]["bits_per_char"] == pytest.approx(8 * len(gzip.compress(text, 9)) / len(text))
    assert found["gzip_after_training"]["bits_per_char"] < found["gzip"]["bits_per_char"] / 3


def test_a_compressor_that_needs_less_for_more_is_left_out(monkeypatch):
    monkeypatch.setitem(text_baselines.COMPRESSORS, "bz2", lambda data: b"x" * (100 - len(data) // 1000))
    found, _, _ = of_text(WORDS)
    assert "bz2" in found
    assert "bz2_after_training" not in found
    assert "gzip_after_training" in found


def test_the_characters_are_those_that_an_evaluation_reads(monkeypatch):
    seen = []
    monkeypatch.setattr(text_baselines, "_counting", lambda laid, V, chars: seen.append((laid, chars)) or {})
    most = BATCHING._replace(most=100)
    _, examples, task = of_text(WORDS, batching=most)
    laid, chars = seen[0]
    part = task.split(examples, DataConfig(), most).validation
    assert chars == len(part) == np.count_nonzero(laid.asked)
    start = int(part.first[0]) + 1
    assert task.vocabulary.decode(laid.ids[laid.asked]) == WORDS[start : start + chars]


@pytest.mark.parametrize("split_by", ["tail", "columns"])
def test_nothing_of_what_is_asked_was_counted(monkeypatch, split_by):
    text = "".join(chr(0x4E00 + n) for n in range(3000))  # each character once
    found, _, _ = of_text(text, DataConfig(split_by=split_by))
    assert found["6_grams"]["nats_per_char"] >= math.log(3000)


def test_of_a_large_text_a_sample_is_counted_from_everywhere(monkeypatch):
    monkeypatch.setattr(text_baselines, "MOST", 400)
    seen = []
    monkeypatch.setattr(text_baselines, "_counting", lambda laid, V, chars: seen.append(laid) or {})
    of_text(WORDS)
    (laid,) = seen
    assert np.count_nonzero(laid.counted) == 400


def test_the_training_part_has_no_baselines_as_they_have_seen_it():
    assert of_text(WORDS, name="train")[0] == {}


def test_documents_have_baselines_that_know_where_one_ends():
    texts = [f"{c}{d}{e}" for c in "abcdefghij" for d in "abcdefghij" for e in "xyz"]
    data = DataConfig(documents="lines", split=(0.9, 0.1, 0.0))
    documents = Documents("names", 1200, "a sum", texts)
    task = DocumentModel.of(documents, data, BATCHING)
    found = task.baselines(documents, data, BATCHING, "validation")
    assert found["uniform"]["nats_per_char"] == pytest.approx(math.log(14))
    least = (2 * math.log(10) + math.log(3)) / 4  # that an x, y or z ends a document costs nothing
    assert least < found["3_grams"]["nats_per_char"] < math.log(14) - 0.6
