"""Real-time recurrent learning against backpropagation through time: two ways, one gradient."""

from __future__ import annotations

import numpy as np
import pytest

from charrnn.arrays import Batch
from charrnn.judging.gradcheck.subject import check_model
from charrnn.nn import rtrl
from charrnn.nn.cells import CELLS, build
from charrnn.nn.model import CharLM
from charrnn.nn.parameters import Parameters
from charrnn.nn.rtrl import Sensitivity

V, H, T, B = 5, 3, 4, 2


def random_params(model, rng):
    params = Parameters.zeros(model.shapes, np.float64)
    params.vector[...] = rng.normal(0, 0.5, params.vector.size)
    return params


@pytest.mark.parametrize("num_layers", [1, 2])
@pytest.mark.parametrize("cell", CELLS)
def test_every_gradient_agrees_to_1e_9(cell, num_layers):
    kind = build(cell)
    options = {"recurrent_dropout": 0.2} if kind.has_candidate else {}
    options |= {"layer_norm": True} if kind.product == "added" else {}
    model = CharLM(
        V,
        cell=cell,
        hidden_size=H,
        num_layers=num_layers,
        initial_state="learned",
        dropout=0.3,
        zoneout_h=0.2,
        **options,
    )
    assert [row for row in check_model(model, "rtrl") if not (row.ok and row.error < 1e-9)] == []


@pytest.mark.parametrize("activation", ["relu", "sigmoid"])
def test_the_plain_rnns_activations_agree_too(activation):
    model = CharLM(V, cell="rnn", hidden_size=H, activation=activation, initial_state="random")
    assert [row for row in check_model(model, "rtrl") if not (row.ok and row.error < 1e-9)] == []


def test_two_windows_with_the_sensitivity_carried_have_the_gradient_of_one(rng):
    """Which backpropagation, cut off between them, does not."""
    model = CharLM(V, cell="lstm", hidden_size=H)
    params = random_params(model, rng)
    x, y = rng.integers(V, size=(2, 2 * T, B))
    starts, nowhere = np.ones(B, bool), np.zeros(B, bool)
    whole, first, second, cut_off = (Parameters.zeros(model.shapes, np.float64) for _ in range(4))
    loss, _ = model.loss_and_grads(params, Batch(x, y, starts), model.zero_state(B), whole)

    carried = Sensitivity.zero(model, B)
    one, state, _ = carried.loss_and_grads(params, Batch(x[:T], y[:T], starts), model.zero_state(B), first)
    other, _, _ = carried.loss_and_grads(params, Batch(x[T:], y[T:], nowhere), state, second)
    model.loss_and_grads(params, Batch(x[T:], y[T:], nowhere), state, cut_off)

    assert (one + other) / 2 == pytest.approx(loss, abs=1e-12)
    np.testing.assert_allclose((first.vector + second.vector) / 2, whole.vector, rtol=0, atol=1e-12)
    assert np.abs(second.vector - cut_off.vector).max() > 1e-3


def test_a_row_that_begins_a_text_forgets_what_its_state_depended_on(rng):
    model = CharLM(V, cell="gru", hidden_size=H)
    params = random_params(model, rng)
    x, y = rng.integers(V, size=(2, T, B))
    fresh, stale = Sensitivity.zero(model, B), Sensitivity(model, rng.normal(size=rtrl.shape(model, B)))
    results = []
    for sensitivity in (fresh, stale):
        grads = Parameters.zeros(model.shapes, np.float64)
        sensitivity.loss_and_grads(params, Batch(x, y, np.ones(B, bool)), model.zero_state(B), grads)
        results.append(grads.vector)
    np.testing.assert_array_equal(*results)


def test_a_wrong_backward_pass_does_not_reach_it(rng, monkeypatch):
    model = CharLM(V, cell="lstm", hidden_size=H)
    monkeypatch.setattr(type(model.stack.cell), "step_backward", lambda self, params, tape, t, dstate: None)
    assert {row.name for row in check_model(model, "rtrl") if not row.ok} >= {"layers.0.W", "layers.0.b", "state.0.c"}


def test_the_estimate_of_its_cost_grows_as_it_does():
    def seconds(H):
        return rtrl.seconds_of_iteration(CharLM(65, cell="lstm", hidden_size=H), 64, 32)

    assert seconds(16) < seconds(64) < seconds(256)
    assert seconds(256) > 3600
