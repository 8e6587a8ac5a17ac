"""The law of padding: what an item comes to does not depend on what else is in its batch."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from architectures import CAUSAL
from hypothesis import example, given
from hypothesis import strategies as st

from charrnn.arrays import Batch
from charrnn.nn import head
from charrnn.nn.model import CharLM
from charrnn.nn.parameters import Parameters

V, H, L = 5, 3, 2
TINY = 1e-12
QUIET = {name: chosen for name, chosen in CAUSAL.items() if name.endswith(("plain", "learned", "layer_norm"))}
"""Networks in which nothing is random: what is drawn is drawn for a batch."""


class Item(NamedTuple):
    x: np.ndarray
    y: np.ndarray
    weights: np.ndarray


def items_of(lengths, rng):
    """Items of these lengths; of their answers a third does not count, but the last does."""
    items = [Item(*rng.integers(V, size=(2, n)), rng.uniform(0.5, 2, n) * (rng.random(n) < 0.67)) for n in lengths]
    for item in items:
        item.weights[-1] = 1.5
    return items


def batch_of(items, rng, padding=0, empty=0):
    """The items in rows of one length, with symbols in the padding that are as good as any, and rows of padding."""
    shape = max(len(item.x) for item in items) + padding, len(items) + empty
    x, y = rng.integers(V, size=(2, *shape))
    weights = np.zeros(shape)
    for b, item in enumerate(items):
        for array, values in zip((x, y, weights), item, strict=True):
            array[: len(values), b] = values
    return Batch(x, y, np.ones(shape[1], bool), weights)


def results(model, params, batch):
    """The sum of the losses, all gradients of it as a vector, and the logits."""
    state = model.zero_state(len(batch.starts), np.float64)
    grads = Parameters(model.shapes, np.full_like(params.vector, np.nan))
    loss, _ = model.loss_and_grads(params, batch, state, grads)
    logits, _ = model.forward(params, batch.x, state, batch.starts)
    return loss * batch.weights.sum(), grads.vector * batch.weights.sum(), logits


def deviation(name, lengths, padding, empty, seed):
    """How far a batch is from what its items come to one by one, in loss, gradients and predictions."""
    rng = np.random.default_rng(seed)
    model = CharLM(V, hidden_size=H, num_layers=L, **QUIET[name])
    params = Parameters(model.shapes, rng.normal(0, 0.5, model.num_parameters))
    items = items_of(lengths, rng)
    loss, grads, logits = results(model, params, batch_of(items, rng, padding, empty))
    alone = [results(model, params, batch_of([item], rng)) for item in items]
    assert np.isfinite(grads).all()
    return {
        "loss": abs(loss - sum(one[0] for one in alone)),
        "gradients": np.abs(grads - sum(one[1] for one in alone)).max(),
        "predictions": max(np.abs(logits[: len(one[2]), b] - one[2][:, 0]).max() for b, one in enumerate(alone)),
    }


@given(
    name=st.sampled_from(sorted(QUIET)),
    lengths=st.lists(st.integers(1, 6), min_size=1, max_size=5),
    padding=st.integers(0, 4),
    empty=st.integers(0, 3),
    seed=st.integers(0, 2**32 - 1),
)
@example("lstm-tanh-plain", [6, 1, 1], 0, 0, 0)
def test_a_batch_is_the_sum_of_its_items_however_they_are_padded(name, lengths, padding, empty, seed):
    assert max(deviation(name, lengths, padding, empty, seed).values()) < TINY


@pytest.mark.parametrize("name", QUIET)
def test_so_is_one_of_every_network(name):
    assert max(deviation(name, [3, 1, 5, 2], 2, 2, 0).values()) < TINY


@given(lengths=st.lists(st.integers(1, 6), min_size=2, max_size=5), seed=st.integers(0, 2**32 - 1))
def test_the_order_of_the_rows_does_not_matter(lengths, seed):
    rng = np.random.default_rng(seed)
    model = CharLM(V, cell="gru", hidden_size=H)
    params = Parameters(model.shapes, rng.normal(0, 0.5, model.num_parameters))
    batch, order = batch_of(items_of(lengths, rng), rng), rng.permutation(len(lengths))
    loss, grads, logits = results(model, params, batch)
    moved = Batch(batch.x[:, order], batch.y[:, order], batch.starts, batch.weights[:, order])
    loss_moved, grads_moved, logits_moved = results(model, params, moved)
    assert loss_moved == pytest.approx(loss, abs=TINY)
    np.testing.assert_allclose(grads_moved, grads, rtol=0, atol=TINY)
    np.testing.assert_allclose(logits_moved, logits[:, order], rtol=0, atol=TINY)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_no_weights_are_weights_of_one_bit_for_bit(cell, dtype, rng):
    model = CharLM(V, hidden_size=H, **cell)
    params = model.init_params(rng, dtype)
    x, y = rng.integers(V, size=(2, 6, 4))
    found = []
    for weights in (None, np.ones((6, 4), dtype)):
        grads = Parameters.zeros(model.shapes, dtype)
        batch = Batch(x, y, np.ones(4, bool), weights)
        loss, _ = model.loss_and_grads(params, batch, model.zero_state(4, dtype), grads)
        found.append((loss, grads.vector.tobytes(), batch.answers, batch.chars))
    assert found[0] == found[1]


@pytest.mark.parametrize("name", QUIET)
def test_the_loss_by_the_forward_pass_alone_is_the_same(name, rng):
    model = CharLM(V, hidden_size=H, **QUIET[name])
    params = Parameters(model.shapes, rng.normal(0, 0.5, model.num_parameters))
    batch = batch_of(items_of([4, 2, 3], rng), rng, empty=1)
    for one in (batch, batch._replace(weights=None)):
        state, grads = model.zero_state(4, np.float64), Parameters.zeros(model.shapes, np.float64)
        loss, final = model.loss_and_grads(params, one, state, grads)
        alone, final_alone = model.loss(params, one, state)
        assert alone == pytest.approx(loss, rel=TINY)
        np.testing.assert_equal(final_alone, final)


def unweighted_gradient(logits, targets, count, weights):
    """`head.cross_entropy_` that forgets the weights in the gradient."""
    weighted = exact(logits.copy(), targets, count, weights)
    exact(logits, targets, count, None)
    return weighted


def unweighted_loss(logits, targets, count, weights):
    unweighted = exact(logits.copy(), targets, count, None)
    exact(logits, targets, count, weights)
    return unweighted


exact = head._cross_entropy_


@pytest.mark.parametrize(
    ("bug", "seen"), [(unweighted_gradient, {"gradients"}), (unweighted_loss, {"loss"})], ids=["gradient", "loss"]
)
def test_weights_forgotten_in_the_head_are_noticed(bug, seen, monkeypatch):
    monkeypatch.setattr(head, "_cross_entropy_", bug)
    found = deviation("gru-tanh-plain", [3, 1, 5], 1, 1, 0)
    assert {what for what, difference in found.items() if difference > 1e-3} == seen


def test_weights_forgotten_in_the_count_are_noticed(monkeypatch):
    monkeypatch.setattr(Batch, "answers", property(lambda batch: batch.y.size))
    found = deviation("gru-tanh-plain", [3, 1, 5], 1, 1, 0)
    assert {what for what, difference in found.items() if difference > 1e-3} == {"loss", "gradients"}


def test_an_item_that_sees_its_padding_is_noticed(monkeypatch):
    monkeypatch.setitem(QUIET, "both", {"cell": "gru", "bidirectional": True})
    assert deviation("both", [3, 1, 5], 1, 1, 0)["predictions"] > 1e-3


def test_a_batch_in_which_no_answer_counts_has_no_loss_and_no_gradient():
    model, rng = CharLM(V, hidden_size=H), np.random.default_rng(0)
    params = model.init_params(rng, np.float32)
    batch = Batch(*rng.integers(V, size=(2, 3, 2)), np.ones(2, bool), np.zeros((3, 2)))
    grads = Parameters(model.shapes, np.full_like(params.vector, np.nan))
    loss, _ = model.loss_and_grads(params, batch, model.zero_state(2), grads)
    assert loss == model.loss(params, batch, model.zero_state(2))[0] == 0
    assert not grads.vector.any()


def test_weights_of_another_type_change_no_type():
    model, rng = CharLM(V, hidden_size=H), np.random.default_rng(0)
    params = model.init_params(rng, np.float32)
    batch = Batch(*rng.integers(V, size=(2, 3, 2)), np.ones(2, bool), np.ones((3, 2)))
    loss, final = model.loss(params, batch, model.zero_state(2))
    assert loss.dtype == final[0]["h"].dtype == np.float32
