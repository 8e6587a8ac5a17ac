"""Copies: what is common with the training text is found, and no more than so many characters in a row are copied."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from interrupting import config

from charrnn.errors import DataError
from charrnn.runs.run import Corpus, Run
from charrnn.sampling import Request, copying, sample, written
from charrnn.sampling.copying import MaxCopy, TrainingText
from charrnn.sampling.sources import training_text
from charrnn.tasks.documents import DocumentModel
from charrnn.tasks.language_model import LanguageModel
from charrnn.text.vocabulary import Vocabulary
from charrnn.training.preparing import prepare

SYMBOLS = "abc"
VOCABULARY = Vocabulary(SYMBOLS)


def training(text):
    return TrainingText(VOCABULARY.encode(text), len(SYMBOLS))


def longest_by_hand(texts, text):
    passages = {one[i:j] for one in texts for i in range(len(one)) for j in range(i + 1, len(one) + 1)}
    return max((len(passage) for passage in passages if passage in text), default=0)


@given(st.text(SYMBOLS, min_size=1, max_size=60), st.lists(st.text(SYMBOLS, max_size=20), min_size=1, max_size=4))
def test_the_longest_copy_is_found_where_it_stands(text, texts):
    found = training(text).longest([VOCABULARY.encode(one) for one in texts])
    assert (found.length if found else 0) == longest_by_hand(texts, text)
    if found:
        passage = text[found.position : found.position + found.length]
        assert passage in texts[found.sample]
        assert training(text).passage(VOCABULARY, found) == passage


@given(st.text(SYMBOLS, min_size=1, max_size=60), st.text(SYMBOLS, max_size=12), st.integers(1, 5))
def test_what_would_be_one_character_too_many_is_forbidden_and_no_other(text, before, n):
    constraint = MaxCopy(training(text), n, [VOCABULARY.encode(before)[:k] for k in range(len(before) + 1)])
    for row in range(len(before) + 1):
        logits = np.zeros((len(before) + 1, len(SYMBOLS)))
        constraint.forbid(logits)
        for symbol, logit in zip(SYMBOLS, logits[row], strict=True):
            too_long = len(before[:row]) >= n and before[:row][-n:] + symbol in text
            assert np.isneginf(logit) == too_long


@given(st.text(SYMBOLS, min_size=1, max_size=60), st.lists(st.sampled_from(range(3)), max_size=30), st.integers(1, 5))
def test_it_goes_by_what_was_drawn(text, drawn, n):
    constraint, so_far = MaxCopy(training(text), n, [VOCABULARY.encode("ab"), VOCABULARY.encode("")]), ["ab", ""]
    for symbol in drawn:
        constraint.drawn(np.array([symbol, (symbol + 1) % 3]))
        so_far = [so_far[0] + SYMBOLS[symbol], so_far[1] + SYMBOLS[(symbol + 1) % 3]]
    logits = np.zeros((2, 3))
    constraint.forbid(logits)
    expected = [[len(one) >= n and one[-n:] + symbol in text for symbol in SYMBOLS] for one in so_far]
    np.testing.assert_array_equal(np.isneginf(logits), expected)


def test_blocks_of_a_large_text_cut_no_passage(monkeypatch, rng):
    text = "".join(rng.choice(list(SYMBOLS), 300))
    whole = training(text)
    index, count = whole.index(7), whole.count(250, np.arange(3) == 1)
    found = whole.longest([VOCABULARY.encode(text[90:140])])
    monkeypatch.setattr(copying, "BLOCK", 16)
    np.testing.assert_array_equal(training(text).index(7), index)
    assert training(text).longest([VOCABULARY.encode(text[90:140])]) == found
    assert (found.length, found.position) == (50, 90)
    assert training(text).count(250, np.arange(3) == 1) == count == text[:250].count("b")


def test_no_passage_has_two_documents():
    ids = np.array([3, 0, 1, 3, 2, 0, 3])  # ab and ca
    constraint = MaxCopy(TrainingText(ids, 4, separator=3), 1, [np.array([1]), np.array([0]), np.array([2])])
    logits = np.zeros((3, 4))
    constraint.forbid(logits)
    np.testing.assert_array_equal(np.isneginf(logits), [[0, 0, 0, 0], [0, 1, 0, 0], [1, 0, 0, 0]])


def test_a_text_that_is_too_long_is_refused(monkeypatch):
    monkeypatch.setattr(copying, "MOST", 5)
    with pytest.raises(DataError, match="leave out --max-copy"):
        training("abcabc")


# --- a run and its text ---


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("".join(f"the {a} {b} went out.\n" for a in ("red", "old", "big") for b in "abcdefgh"), "utf-8")
    return path


@pytest.fixture
def run(text):
    """A run that has learnt nothing, and would write what is in the text with its biases alone."""
    from charrnn.cli.common import library

    return prepare(config(), LanguageModel.read(library(), [str(text)], config().data)).run


@pytest.mark.parametrize("n", [1, 2, 3, 6])
def test_no_text_has_more_in_common_with_that_of_its_run(run, text, n):
    learnt = text.read_text("utf-8")
    prompts = ("", "the ", "red")
    for one in written(run, Request(prompts, 200, seed=1, max_copy=n), 3):
        whole = one.prompt + one.text
        for start in range(max(0, len(one.prompt) - n), len(whole) - n):
            assert whole[start : start + n + 1] not in learnt
    free = "".join(sample(run, "the ", 200, seed=1))
    assert any(free[k : k + n + 1] in learnt for k in range(200)) or n > 2


def test_a_text_ends_where_nothing_is_left(text):
    text.write_text("abababab" * 40, "utf-8")
    from charrnn.cli.common import library

    run = prepare(config(), LanguageModel.read(library(), [str(text)], config().data)).run
    (one,) = written(run, Request(("a",), 50, seed=1, max_copy=2, allow="ab"))
    assert one.ended in ("length", "max-copy")
    (one,) = written(run, Request(("a",), 50, seed=1, max_copy=1, allow="b"))
    assert (one.text, one.ended) == ("", "max-copy")


def test_a_text_that_is_gone_or_has_changed_is_said_and_can_be_named(run, text, tmp_path):
    other = tmp_path / "moved.txt"
    other.write_bytes(text.read_bytes())
    text.unlink()
    with pytest.raises(DataError, match=r"text\.txt, which is not there; give it: --text FILE"):
        sample(run, max_copy=4)
    assert len(training_text(run, sources=[str(other)]).ids) == run.corpus.size
    text.write_text("another text\n" * 40, "utf-8")
    with pytest.raises(DataError, match=r"is not what this run learnt from.*--text can name it"):
        sample(run, max_copy=4)


def test_documents_are_looked_up_too(text):
    from charrnn.cli.common import library

    settings = config(data__documents="lines")
    run = prepare(settings, DocumentModel.read(library(), [str(text)], settings.data)).run
    learnt = text.read_text("utf-8").splitlines()
    for one in written(run, Request(("",), 60, seed=1, max_copy=2), 20):
        assert not any(one.text[k : k + 3] in line for k in range(len(one.text) - 2) for line in learnt)


def test_a_run_without_a_file_says_so():
    run = Run.new(config(), LanguageModel(VOCABULARY), Corpus("standard input", 1, ""))
    with pytest.raises(DataError, match="came from standard input; name it with --text"):
        sample(run, max_copy=3)
