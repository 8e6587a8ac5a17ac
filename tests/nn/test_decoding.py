"""What a decoder writes, against the training graph, greed by hand, and all answers that there are."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from task_networks import CONTEXTS, K, batch_of, items_of, network, random_params

from charrnn.nn import attention
from charrnn.nn.decoding import decode
from charrnn.nn.numerics import log_softmax

END = K - 1
TINY = 1e-12
SEEDS = 0, 1, 8
"""Of networks that write unlike things, one of which ends after two symbols."""
every_context = pytest.mark.parametrize("context", CONTEXTS)


def given_sources(context, lengths, seed=0, **options):
    """A network of two layers with random weights, and a batch of sources for it."""
    rng = np.random.default_rng(seed)
    model = network(f"transduce-{context}-both", **{"cell": "lstm", "num_layers": 2} | options)
    params = random_params(model, rng)
    params.vector *= 3  # so that not every answer begins alike
    return model, params, batch_of(model, items_of(model, [(1, n) for n in lengths], rng), rng, padding=1)


def log_probability(model, params, batch, row, symbols):
    """That of an answer and its end, as the network is trained: all of it is read at once."""
    y = np.array([*symbols, END])[:, None]
    x = np.concatenate([[[END]], y[:-1]])
    alone = batch.rows(slice(row, row + 1))._replace(x=x, y=y, weights=None, lengths=None)
    log_p = log_softmax(model.predict(params, alone))
    return np.take_along_axis(log_p, y[..., None], axis=-1).sum()


@given(context=st.sampled_from(sorted(CONTEXTS)), beam=st.integers(1, 5), seed=st.integers(0, 2**32 - 1))
def test_an_answer_is_as_likely_as_the_trained_network_says(context, beam, seed):
    model, params, batch = given_sources(context, [3, 0, 5], seed)
    answers = decode(model, params, batch, np.array([4, 2, 6]), beam)
    for row, n in np.ndindex(3, beam):
        symbols = answers.symbols[row, n, : answers.lengths[row, n]]
        if np.isfinite(answers.log_probabilities[row, n]):
            expected = log_probability(model, params, batch, row, symbols)
            assert answers.log_probabilities[row, n] == pytest.approx(expected, abs=TINY)
            assert END not in symbols
            assert (answers.symbols[row, n, answers.lengths[row, n] :] == END).all()


@every_context
@pytest.mark.parametrize("seed", SEEDS)
def test_a_beam_of_one_is_greed(context, seed):
    longest = 6
    model, params, batch = given_sources(context, [4], seed)
    symbols = []
    while len(symbols) < longest:
        x = np.array([END, *symbols])[:, None]
        logits = model.predict(params, batch._replace(x=x, y=x, weights=None, lengths=None))
        if (best := logits[-1, 0].argmax()) == END:
            break
        symbols.append(best)
    answers = decode(model, params, batch, np.array([longest]))
    assert answers.symbols[0, 0, : answers.lengths[0, 0]].tolist() == symbols


def test_greed_is_tried_on_answers_of_unlike_length():
    found = [decode(*given_sources("dot", [4], seed), np.array([6])).lengths[0, 0] for seed in SEEDS]
    assert len(set(found)) > 2


@every_context
def test_a_wide_beam_finds_the_best_of_all_answers(context):
    longest = 3
    model, params, batch = given_sources(context, [4, 2], seed=1)
    answers = decode(model, params, batch, np.array([longest] * 2), beam=(K - 1) ** longest + 40)
    shorter = [s for n in range(longest) for s in itertools.product(range(END), repeat=n)]
    for row in range(2):
        likely = {s: log_probability(model, params, batch, row, s) for s in shorter}
        best = sorted(shorter, key=lambda s: -likely[s] / (len(s) + 1))
        ended = np.flatnonzero(answers.ended[row] & (answers.lengths[row] < longest))
        found = [tuple(answers.symbols[row, n, : answers.lengths[row, n]].tolist()) for n in ended]
        assert found == best
        np.testing.assert_allclose(answers.log_probabilities[row, ended], [likely[s] for s in best], rtol=0, atol=TINY)


def test_a_beam_of_as_many_as_there_are_symbols_has_no_answer_twice():
    model, params, batch = given_sources("dot", [4, 2])
    answers = decode(model, params, batch, np.array([4, 4]), beam=K)
    for row in range(2):
        found = {tuple(answers.symbols[row, n]) for n in range(K)}
        assert len(found) == K


@pytest.fixture
def blank():
    """A network all of whose weights are zero, so that the bias of the output layer says what comes next."""

    def make(*likely, lengths=(3,)):
        model, params, batch = given_sources("dot", lengths)
        params.vector[...] = 0
        params["head.b"][...] = np.log(likely)
        return model, params, batch

    return make


def test_a_short_answer_does_not_win_for_being_short(blank):
    # The empty answer is likelier than any other; but for each symbol that it has, it is the least likely.
    answers = decode(*blank(0.65, 0.03, 0.02, 0.3), np.array([4]), beam=3)
    assert answers.lengths[0].tolist() == [3, 2, 4]
    assert answers.ended[0].tolist() == [True, True, False]
    assert answers.log_probabilities[0, 0] == pytest.approx(3 * np.log(0.65) + np.log(0.3))


def test_an_answer_that_has_ended_stands_before_a_likelier_one_that_is_cut_off(blank):
    answers = decode(*blank(0.65, 0.03, 0.02, 0.3), np.array([4]), beam=3)
    per_symbol = answers.log_probabilities[0] / (answers.lengths[0] + 1)
    assert answers.ended[0].tolist() == [True, True, False]
    assert per_symbol.argmax() == 2


def test_an_empty_answer_is_given_where_it_is_the_likeliest(blank):
    answers = decode(*blank(0.05, 0.03, 0.02, 0.9), np.array([4]), beam=2)
    assert answers.lengths[0].tolist() == [0, 1]
    assert answers.ended.all()
    assert answers.log_probabilities[0, 0] == pytest.approx(np.log(0.9))


@pytest.mark.parametrize("beam", [1, 3])
def test_an_answer_that_never_ends_is_cut_off_and_says_so(blank, beam):
    answers = decode(*blank(0.9, 0.09, 0.009, 0.001, lengths=(3, 1)), np.array([7, 2]), beam)
    assert answers.lengths[:, 0].tolist() == [7, 2]
    assert not answers.ended[:, 0].any()
    assert answers.symbols[0, 0].tolist() == [0] * 7 + [END]


@pytest.mark.parametrize("beam", [1, 3])
def test_the_symbol_that_begins_an_answer_does_not_end_it(blank, beam):
    """It is the same as the one that ends it, and is read before anything is written."""
    answers = decode(*blank(0.4, 0.35, 0.15, 0.1), np.array([3]), beam)
    assert answers.lengths[0].max() == 3
    assert END not in answers.symbols[0, answers.lengths[0].argmax(), :3]


@every_context
@pytest.mark.parametrize("beam", [1, 3])
def test_an_empty_source_has_an_answer(context, beam):
    model, params, batch = given_sources(context, [0, 0], initial_state="learned")
    answers = decode(model, params, batch, np.array([3, 0]), beam)
    assert answers.lengths[1].max() == 0
    assert np.isfinite(answers.log_probabilities[:, 0]).all()
    assert (answers.looks is not None) == model.looks
    assert decode(model, params, batch, np.array([3, 0]), beam, keep_looks=False).looks is None
    if model.looks:
        assert (answers.looks[:, 0, 0] == 1).all()  # there is but the initial state to look at


@pytest.mark.parametrize("beam", [1, 2])
def test_an_answer_as_long_as_any_may_be_has_ended_if_the_model_ends_it(beam):
    """So are the longest of the training part: if they were said to be cut off, they would lose to shorter ones."""
    given = given_sources("dot", [4], seed=8)
    length = 2
    free, bound = (decode(*given, np.array([longest]), beam) for longest in (30, length))
    row = free.lengths[0].tolist().index(length)
    assert free.ended[0, row]
    assert bound.ended[0, row]
    assert bound.lengths[0, row] == length
    assert bound.log_probabilities[0, row] == free.log_probabilities[0, row]


@pytest.mark.parametrize("longest", [0, 1])
def test_where_there_are_fewer_answers_than_in_a_beam_the_real_ones_come_first(blank, longest):
    answers = decode(*blank(0.9, 0.05, 0.04, 0.01), np.array([longest]), beam=9)
    real = np.isfinite(answers.log_probabilities[0])
    assert real.tolist() == [True] * (1 + (K - 1) * longest) + [False] * (8 - (K - 1) * longest)
    assert not answers.ended[0, ~real].any()


@pytest.mark.parametrize("seed", [0, 36, 45])  # in the last two the best answer was not always the best beginning
@pytest.mark.parametrize("context", ["dot", "additive"])
def test_looks_are_those_of_the_trained_network(monkeypatch, context, seed):
    model, params, batch = given_sources(context, [4, 2], seed, cell="rnn", num_layers=1)
    answers = decode(model, params, batch, np.array([5, 5]), beam=3)
    seen, forward = [], attention.forward
    monkeypatch.setattr(attention, "forward", lambda *given: seen.append(forward(*given)) or seen[-1])
    for row in range(2):
        n = answers.lengths[row, 0]
        log_probability(model, params, batch, row, answers.symbols[row, 0, :n])
        np.testing.assert_allclose(answers.looks[row, : n + 1], seen[-1].p[0], rtol=0, atol=TINY)


@every_context
@pytest.mark.parametrize("beam", [1, 3])
def test_a_network_that_has_diverged_writes_answers_of_no_probability(context, beam):
    model, params, batch = given_sources(context, [3, 0])
    params.vector[...] = np.nan
    answers = decode(model, params, batch, np.array([4, 2]), beam)
    assert np.isnan(answers.log_probabilities[:, 0]).all()
    assert answers.lengths.max() <= 4
    assert ((answers.symbols >= 0) & (answers.symbols <= END)).all()
    assert not answers.ended[:, 0].any()


@every_context
@pytest.mark.parametrize("scale", [1e100, 1e300])
def test_a_network_that_has_exploded_writes_without_a_warning(context, scale):
    model, params, batch = given_sources(context, [3, 0], cell="rnn", activation="relu")
    params.vector *= scale
    assert decode(model, params, batch, np.array([4, 2]), 2).lengths.max() <= 4
