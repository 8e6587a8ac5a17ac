"""Sampling: what may be drawn, what is drawn, and how a text ends."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from charrnn.config.resolve import Setting, resolve
from charrnn.errors import DataError
from charrnn.nn.cells import CELLS
from charrnn.runs import checkpoint as checkpoints
from charrnn.runs.run import Corpus, Run
from charrnn.sampling import Filters, Generator, Request, draw, generate, generating, probabilities, sample, sample_many
from charrnn.sampling.openings import opening
from charrnn.tasks.language_model import LanguageModel
from charrnn.text.vocabulary import Vocabulary

LOGITS = arrays(
    np.float32,
    st.tuples(st.integers(1, 4), st.integers(1, 12)),
    elements=st.integers(-1920, 1920).map(lambda n: n / 64),
)
TOP_K = st.none() | st.integers(1, 15)
SHARE = st.none() | st.floats(0.001, 1)


def softmax(logits):
    e = np.exp(logits.astype(float) - logits.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


@given(LOGITS, st.just(0.0) | st.floats(0, 1e300), TOP_K, SHARE, SHARE)
def test_probabilities_add_up_to_one_and_the_least_likely_go_first(logits, temperature, top_k, top_p, min_p):
    before = logits.copy()
    p = probabilities(logits, Filters(temperature, top_k, top_p, min_p))
    assert p.shape == logits.shape
    assert p.dtype == np.float64
    assert (p >= 0).all()
    np.testing.assert_allclose(p.sum(-1), 1, rtol=1e-12)
    rounding = 1e-9 * max(1, temperature)
    for row, of in zip(p, logits.astype(float), strict=True):
        assert of[row.argmax()] >= of.max() - rounding  # the likeliest is always kept
        assert of[row > 0].min() >= of[row == 0].max(initial=-np.inf) - rounding
    np.testing.assert_array_equal(logits, before)


@given(LOGITS)
def test_without_filters_they_are_the_softmax(logits):
    np.testing.assert_allclose(probabilities(logits), softmax(logits), rtol=1e-9, atol=1e-300)


@given(LOGITS, st.floats(0.05, 20))
def test_the_temperature_divides_the_logits(logits, temperature):
    np.testing.assert_allclose(
        probabilities(logits, Filters(temperature)), softmax(logits.astype(float) / temperature), rtol=1e-9, atol=1e-300
    )


@given(LOGITS)
def test_temperature_zero_is_the_likeliest_character_alone(logits):
    p = probabilities(logits, Filters(temperature=0))
    np.testing.assert_array_equal(p.argmax(-1), logits.argmax(-1))
    assert ((p == 0) | (p == 1)).all()


@pytest.mark.parametrize("temperature", [5e-324, 1e-300, 1e-9])
def test_a_tiny_temperature_is_as_good_as_zero(temperature):
    logits = np.array([[1, 3, 2], [-800, 0, 800]], np.float32)
    np.testing.assert_array_equal(probabilities(logits, Filters(temperature)), [[0, 1, 0], [0, 0, 1]])


@pytest.mark.parametrize("temperature", [1e9, 1e300, np.inf])
def test_a_huge_temperature_makes_all_equally_likely(temperature):
    p = probabilities(np.array([[1, 3, 2, -20]], np.float32), Filters(temperature))
    np.testing.assert_allclose(p, 0.25, rtol=1e-6)


def test_logits_of_any_size_are_safe():
    p = probabilities(np.array([[3e38, -3e38, 0], [1e30, 1e30, 0]], np.float32))
    np.testing.assert_array_equal(p, [[1, 0, 0], [0.5, 0.5, 0]])


@given(LOGITS, st.integers(1, 15))
def test_top_k_keeps_the_k_likeliest(logits, k):
    p = probabilities(logits, Filters(top_k=k))
    for row, of in zip(p, softmax(logits), strict=True):
        kept = row > 0
        assert kept.sum() == min(k, (of > 0).sum())
        assert of[kept].min() >= of[~kept].max(initial=0)
        np.testing.assert_allclose(row[kept], of[kept] / of[kept].sum(), rtol=1e-9)


@given(LOGITS, st.floats(0.001, 1))
def test_top_p_keeps_the_smallest_set_of_at_least_that_mass(logits, top_p):
    p = probabilities(logits, Filters(top_p=top_p))
    for row, of in zip(p, softmax(logits), strict=True):
        kept = row > 0
        assert of[kept].sum() >= top_p - 1e-9
        assert of[kept].sum() - of[kept].min() < top_p + 1e-9  # without its least likely it has less
        assert of[kept].min() >= of[~kept].max(initial=0)
        np.testing.assert_allclose(row[kept], of[kept] / of[kept].sum(), rtol=1e-9)


@given(LOGITS, st.floats(0, 1))
def test_min_p_keeps_those_at_least_that_share_as_likely_as_the_likeliest(logits, min_p):
    p = probabilities(logits, Filters(min_p=min_p))
    for row, of in zip(p, softmax(logits), strict=True):
        kept = row > 0
        assert (of[kept] >= min_p * of.max() * (1 - 1e-9)).all()
        assert (of[~kept] <= min_p * of.max() * (1 + 1e-9)).all()


def test_filters_work_in_their_order_each_on_what_is_left():
    p = np.array([[0.4, 0.3, 0.2, 0.1]])
    # top_k leaves .4 .3 .2, of which .4 .3 are 7/9, more than .75; of all four they would not be
    np.testing.assert_allclose(probabilities(np.log(p), Filters(top_k=3, top_p=0.75)), [[4 / 7, 3 / 7, 0, 0]])
    np.testing.assert_allclose(probabilities(np.log(p), Filters(top_p=0.75)), [[4 / 9, 3 / 9, 2 / 9, 0]])
    np.testing.assert_allclose(probabilities(np.log(p), Filters(top_k=3, top_p=0.75, min_p=0.8)), [[1, 0, 0, 0]])


def test_draws_are_as_frequent_as_they_are_probable(rng):
    p = np.array([0.0, 0.5, 0.0, 0.2, 0.299, 0.001, 0.0])
    n = 100_000
    counts = np.bincount(draw(np.tile(p, (n, 1)), rng), minlength=7)
    assert len(counts) == 7
    assert (
        np.abs(counts - n * p) <= 4 * np.sqrt(n * p * (1 - p))
    ).all()  # four standard deviations; never where p is 0


class Extreme:
    """A generator that draws the ends of its range."""

    def __init__(self, value):
        self.value = value

    def random(self, n):
        return np.full(n, self.value)


@given(LOGITS)
def test_even_an_extreme_draw_is_a_character_that_is_possible(logits):
    p = probabilities(logits, Filters(top_p=0.9))
    for value in (0.0, np.nextafter(1, 0)):
        ids = draw(p.copy(), Extreme(value))
        assert (p[np.arange(len(p)), ids] > 0).all()


def model_of(cell="lstm", dtype="float64", symbols="\n abcdefgh"):
    settings = {"model.cell": cell, "model.hidden_size": 7, "model.num_layers": 2, "train.seed": 4}
    settings |= {"train.dtype": dtype, "model.initial_state": "learned", "model.dropout": 0.5}
    config, _ = resolve([Setting(key, value, "test") for key, value in settings.items()])
    run = Run.new(config, LanguageModel(Vocabulary(symbols)), Corpus("x", 1, ""))
    run.params.vector[...] = np.random.default_rng(5).standard_normal(run.params.vector.size) * 0.7
    return run


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("prompt", ["", "a", "bad cafe", "abcdefgh" * 20])
def test_each_character_is_drawn_from_what_one_pass_over_the_text_expects(cell, prompt, monkeypatch):
    run = model_of(cell)
    drawn_from = []
    monkeypatch.setattr(generating, "draw", lambda p, rng: (drawn_from.append(p.copy()), draw(p, rng))[1])
    texts = ["".join(parts) for parts in zip(*sample_many(run, Request((prompt,), length=40, seed=2), 3), strict=True)]
    assert len(set(texts)) == 3

    read = prompt or "\n"
    ids = np.array([run.task.vocabulary.encode(read + text) for text in texts]).T
    state = run.model.zero_state(3, np.float64)
    logits, _ = run.model.forward(run.params, ids, state, np.ones(3, bool))
    expected = softmax(logits[len(read) - 1 : -1])
    np.testing.assert_allclose(np.array(drawn_from), expected, rtol=1e-9, atol=1e-12)


def test_the_same_seed_gives_the_same_text_and_another_seed_another():
    run = model_of(dtype="float32")
    a, b, c = ("".join(sample(run, "abc", length=60, seed=seed)) for seed in (1, 1, 2))
    assert a == b != c
    assert len(a) == 60
    assert set(a) <= set(run.task.vocabulary.symbols)


def test_sampling_leaves_the_run_as_it_was():
    run = model_of()
    before = checkpoints.to_bytes(run)
    "".join(sample(run, "abc", length=20))
    assert checkpoints.to_bytes(run) == before


def test_filters_reach_the_draw():
    run = model_of()
    first = "".join(sample(run, "abc", length=30, temperature=0))
    assert first == "".join(sample(run, "abc", length=30, seed=9, top_k=1))
    assert first == "".join(sample(run, "abc", length=30, seed=9, min_p=1.0))
    assert first != "".join(sample(run, "abc", length=30, seed=9))


def test_a_text_of_no_characters_is_empty():
    assert "".join(sample(model_of(), "abc", length=0)) == ""


def test_a_prompt_with_unknown_characters_is_refused_before_anything_is_drawn():
    with pytest.raises(DataError, match=r"never saw 'z' \(U\+007A\)"):
        next(sample(model_of(), "abz"))


@pytest.mark.parametrize(("symbols", "first"), [("\n ab", "\n"), (" ab", " "), ("ab", "a")])
def test_without_a_prompt_the_model_first_reads_what_most_likely_begins_a_line(symbols, first):
    assert opening(symbols) == first


# --- the stop text ---


def dictate(patch, ids):
    """Has these ids drawn, one array (B,) after another."""
    each = iter(ids)
    patch.setattr(Generator, "__next__", lambda self: next(each))


@pytest.fixture
def writes(monkeypatch):
    """Makes the model write given texts."""

    def writes(*texts):
        run = model_of()
        ids = np.array([run.task.vocabulary.encode(text) for text in texts]).T
        dictate(monkeypatch, ids)
        return run

    return writes


@given(st.text("ab", max_size=30), st.text("ab", min_size=1, max_size=5))
def test_a_text_ends_before_the_stop_and_holds_back_only_what_may_begin_it(text, stop):
    with pytest.MonkeyPatch.context() as patch:
        run = model_of()
        text = text.ljust(len(stop), "c")
        dictate(patch, [run.task.vocabulary.encode(c) for c in text])
        parts = list(sample(run, "a", length=len(text), stop=stop))
    kept, found, _ = text.partition(stop)
    assert "".join(parts) == kept
    if found:
        assert len(parts) == len(kept) + len(stop)  # nothing is drawn beyond
    for n in range(len(parts) - 1):
        seen = text[: n + 1]
        if stop not in seen:
            held = max(k for k in range(len(stop)) if seen.endswith(stop[:k]))
            assert "".join(parts[: n + 1]) == seen[: len(seen) - held]


@pytest.mark.parametrize(
    ("text", "stop", "parts"),
    [
        ("abcd", "bc", ["a", "", ""]),
        ("abad", "bc", ["a", "", "ba", "d", ""]),
        ("aaab", "aab", ["", "", "a", ""]),  # the stop text begins again within itself
        ("abab", "abc", ["", "", "ab", "", "ab"]),  # held until the end, and then let go
        ("abcd", "a", [""]),
    ],
)
def test_what_is_held_back(text, stop, parts, writes):
    assert list(sample(writes(text), "a", length=4, stop=stop)) == parts


def test_several_samples_stop_each_by_itself(writes):
    run = writes("abcdefgh", "ccccdeef", "deabbbbb")
    grown = list(zip(*sample_many(run, Request(("a",), length=8, stop=("de",)), 3), strict=True))
    assert ["".join(parts) for parts in grown] == ["abc", "cccc", ""]
    assert len(grown[0]) == 6  # until the last of them has ended


def test_generation_has_no_end(rng):
    run = model_of()
    ids = list(itertools.islice(generate(run.model, run.params, np.array([1]), rng, samples=2), 200))
    assert np.array(ids).shape == (200, 2)
