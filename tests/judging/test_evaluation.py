"""Evaluations against one pass over the text, character by character."""

from __future__ import annotations

import math

import numpy as np
import pytest

from charrnn.judging.evaluation import (
    CONTEXT,
    Score,
    evaluate,
    guesses_of_characters,
    logits_of_characters,
    nats_of_characters,
)
from charrnn.nn.cells import CELLS
from charrnn.nn.model import CharLM
from charrnn.nn.parameters import Parameters
from charrnn.optim import optimizers
from charrnn.optim.options import OptimConfig
from charrnn.text.streams import Streams, Windows, side_by_side, split_columns, split_tail

V = 12


def structured(n, rng):
    """Ids of a text in which each character depends on the two before it, with some noise."""
    ids = rng.integers(0, V, n)
    noise = rng.random(n) < 0.3
    for t in range(2, n):
        if not noise[t]:
            ids[t] = (3 * ids[t - 1] + ids[t - 2]) % V
    return ids


def trained(cell, ids, rng, updates=300):
    """A model that knows a part of the structure."""
    model = CharLM(V, cell=cell, hidden_size=16, num_layers=2)
    params = model.init_params(rng)
    grads = Parameters.zeros(params.shapes, np.float32)
    optimizer = optimizers.build(OptimConfig())
    slots = optimizer.init(params.vector)
    windows = Windows(split_tail(ids, (1, 0, 0), 16, 16).train, 16)
    state = model.zero_state(16)
    for iteration in range(updates):
        batch = windows.batch(iteration)
        _, state = model.loss_and_grads(params, batch, state, grads)
        optimizer.update(grads.vector, slots, 0.01)
        params.vector -= grads.vector
    return model, params


def step_by_step(model, params, ids, state=None):
    """The loss of every character but the first: one stream, one character at a time."""
    state = state or model.zero_state(1)
    nats = []
    for t in range(len(ids) - 1):
        logits, state = model.forward(params, ids[t : t + 1, None], state, np.array([t == 0]))
        row = logits[0, 0].astype(float)
        nats.append(math.log(np.exp(row - row.max()).sum()) + row.max() - row[ids[t + 1]])
    return np.array(nats)


@pytest.mark.parametrize("cell", CELLS)
def test_an_evaluation_is_within_a_thousandth_of_one_pass_over_the_text(cell, rng):
    ids = structured(20_000, rng)
    model, params = trained(cell, ids, rng)
    exact = step_by_step(model, params, ids)
    assert 0.5 < exact.mean() < 0.9 * math.log(V)  # it knows something, and not all
    streams = side_by_side(ids, 0, len(ids))
    assert streams.batch_size == 32
    nats = nats_of_characters(model, params, streams)
    assert nats.shape == exact.shape == (19_999,)
    assert abs(nats.mean() - exact.mean()) < 1e-3
    assert evaluate(model, params, streams) == math.fsum(nats) / len(nats)
    np.testing.assert_allclose(nats[: streams.lengths[0]], exact[: streams.lengths[0]], atol=1e-4)  # in their order


@pytest.mark.parametrize("n", [2, 3, 65, 129, 500, 1024, 1025, 1500])
def test_a_text_of_any_length_is_scored_once_for_each_character_but_the_first(n, rng):
    ids = structured(n + 40, rng)
    model, params = trained("lstm", structured(2000, rng), rng, updates=20)
    exact = step_by_step(model, params, ids[20 : 20 + n])
    nats = nats_of_characters(model, params, side_by_side(ids, 20, 20 + n))
    assert nats.shape == (n - 1,)
    alone = min(n - 1, 512)
    np.testing.assert_allclose(nats[:alone], exact[:alone], atol=1e-4)  # nothing before the text is read
    np.testing.assert_allclose(nats.mean(), exact.mean(), atol=2e-2)


def test_later_streams_begin_with_the_state_that_their_context_leaves(rng):
    ids = structured(3000, rng)
    model, params = trained("gru", ids, rng, updates=50)
    streams = side_by_side(ids, 0, 3000)
    nats = nats_of_characters(model, params, streams)
    b = 3
    first, length = int(streams.first[b]), int(streams.lengths[b])
    begin = int(streams.lengths[:b].sum())
    warm = step_by_step(model, params, ids[first - CONTEXT : first + length + 1])[CONTEXT:]
    cold = step_by_step(model, params, ids[first : first + length + 1])
    np.testing.assert_allclose(nats[begin : begin + length], warm, atol=1e-4)
    assert np.abs(warm - cold)[:5].max() > 1e-2


def test_streams_with_less_context_than_the_others_begin_as_a_text_does(rng):
    ids = structured(400, rng)
    model, params = trained("rnn", ids, rng, updates=50)
    streams = Streams(ids, np.array([50, 300]), np.array([40, 40]), np.array([50, 300]))
    nats = nats_of_characters(model, params, streams)
    np.testing.assert_allclose(nats[:40], step_by_step(model, params, ids[50:91]), atol=1e-4)
    np.testing.assert_allclose(nats[40:], step_by_step(model, params, ids[300 - CONTEXT : 341])[CONTEXT:], atol=1e-4)


def test_the_columns_of_a_split_are_scored_row_by_row(rng):
    ids = structured(2000, rng)
    model, params = trained("lstm", ids, rng, updates=20)
    part = split_columns(ids, (0.5, 0.5, 0.0), 4, 20).validation
    assert nats_of_characters(model, params, part).shape == (part.lengths.sum(),)
    rows = [
        nats_of_characters(
            model, params, Streams(ids, *(field[b : b + 1] for field in (part.first, part.lengths, part.context)))
        )
        for b in range(4)
    ]
    np.testing.assert_allclose(nats_of_characters(model, params, part), np.concatenate(rows), atol=1e-5)


@pytest.mark.parametrize("n", [2, 64, 65, 500, 1500, 3000])
def test_the_mean_is_that_of_the_single_characters_to_the_last_bit(n, rng):
    ids = structured(n, rng)
    model, params = trained("lstm", structured(2000, rng), rng, updates=20)
    for streams in (side_by_side(ids, 0, n), Streams(ids, np.array([0, n // 2]), np.array([n // 2, 1]), np.zeros(2))):
        nats = nats_of_characters(model, params, streams)
        assert evaluate(model, params, streams) == math.fsum(nats) / len(nats)


@pytest.mark.parametrize("n", [2, 500, 1500])
def test_what_was_thought_of_each_character_is_told_in_the_order_of_the_text(n, rng):
    ids = structured(n, rng)
    model, params = trained("lstm", structured(2000, rng), rng, updates=20)
    streams = side_by_side(ids, 0, n)
    nats, guesses = nats_of_characters(model, params, streams), guesses_of_characters(model, params, streams)
    logits = logits_of_characters(model, params, streams)
    assert logits.shape == (n - 1, V)
    np.testing.assert_array_equal(guesses.nats, nats)
    np.testing.assert_array_equal(guesses.best, logits.argmax(axis=-1))
    p = np.exp(logits.astype(float)) / np.exp(logits.astype(float)).sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(-np.log(p[np.arange(n - 1), ids[1:]]), nats, atol=1e-5)
    np.testing.assert_allclose(-np.log(p.max(axis=-1)), guesses.best_nats, atol=1e-5)


def test_an_evaluation_changes_nothing(rng):
    ids = structured(1500, rng)
    model, params = trained("lstm", ids, rng, updates=10)
    before = params.vector.copy()
    streams = side_by_side(ids, 0, 1500)
    assert evaluate(model, params, streams) == evaluate(model, params, streams)
    np.testing.assert_array_equal(params.vector, before)


def test_a_score_in_all_its_units():
    score = Score(nats_per_char=2 * math.log(2), chars=300, bytes=400)
    assert score.bits_per_char == pytest.approx(2)
    assert score.bits_per_byte == pytest.approx(1.5)
    assert score.perplexity == pytest.approx(4)
    assert math.isfinite(Score(1e30, 1, 1).perplexity)
