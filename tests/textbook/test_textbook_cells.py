"""Each cell of the textbook by itself: one step, against finite differences; and that such a check can fail.

The whole network, with all that can be around a cell, is proven in ../test_reference.py.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect

import numpy as np
import pytest

from charrnn import textbook
from charrnn.judging.gradcheck.check import check
from charrnn.judging.gradcheck.oracles import finite_difference
from charrnn.nn import cells
from charrnn.textbook.functions import ACTIVATIONS, cross_entropy, log_softmax, one_hot, sigmoid
from charrnn.textbook.regularizers import LayerNorm, Zoneout, dropped

B, D, H = 3, 5, 4
KINDS = {
    f"{name}-{activation}": textbook.build(name, activation)
    for name in textbook.CELLS
    for activation in (cells.ACTIVATIONS if name == "rnn" else ("tanh",))
}
AROUND = {
    "dropped": lambda rng, cell: dataclasses.replace(cell, candidate=dropped(cell.candidate, rng.random((B, H)) * 2)),
    "layer norm": lambda rng, cell: LayerNorm(cell),
    "zoneout": lambda rng, cell: Zoneout(cell, {"h": rng.random((B, H)), "c": rng.random((B, H))}),
}
every_kind = pytest.mark.parametrize("cell", KINDS.values(), ids=KINDS)


def failing(cell, inner=None):
    """Names of the gradients of one step that are wrong: by each parameter, the input, and each state."""
    rng, inner = np.random.default_rng(0), inner or cell
    shapes = inner.shapes(D, H) | {f"gain_{gate}": (H,) for gate in inner.gates if isinstance(cell, LayerNorm)}
    p = {name: rng.normal(0, 0.5, shape) for name, shape in shapes.items()}
    x = rng.normal(0, 0.5, (B, D))
    state, cotangent = ({name: rng.normal(0, 0.5, (B, H)) for name in inner.state} for _ in range(2))

    def objective():
        after, _ = cell.forward(p, x, state)
        return sum((cotangent[name] * after[name]).sum() for name in state)

    after, cache = cell.forward(p, x, state)
    assert after.keys() == state.keys()
    dx, dstate, grads = cell.backward(p, cache, cotangent)
    assert grads.keys() == p.keys()
    assert dstate.keys() == state.keys()
    named = {f"state.{name}": array for name, array in state.items()}
    derivatives = {"x": dx, **grads, **{f"state.{name}": array for name, array in dstate.items()}}
    rows = check(objective, {"x": x, **p, **named}, derivatives, finite_difference)
    return {row.name for row in rows if not row.ok}


@every_kind
def test_every_gradient_of_a_step_is_that_of_finite_differences(cell):
    assert failing(cell) == set()


@pytest.mark.parametrize("around", AROUND)
def test_so_is_every_gradient_with_something_around_the_cell(around, rng):
    cell = textbook.build("lstm")
    assert failing(AROUND[around](rng, cell), cell) == set()


@pytest.mark.parametrize("part", ["dx", "dh", "dW", "db"])
@every_kind
def test_a_gradient_that_is_off_by_a_hundredth_is_found(cell, part):
    gate = cell.gates[-1]

    class Wrong(type(cell)):
        def backward(self, p, cache, dstate):
            dx, before, grads = super().backward(p, cache, dstate)
            wrong = {"dx": dx, "dh": before["h"], "dW": grads[f"W_{gate}"], "db": grads[f"b_{gate}"]}[part]
            wrong *= 1.01
            return dx, before, grads

    expected = {"dx": "x", "dh": "state.h", "dW": f"W_{gate}", "db": f"b_{gate}"}[part]
    assert failing(Wrong(**vars(cell))) == {expected}


def test_every_registered_cell_is_in_the_textbook():
    assert textbook.CELLS.keys() == cells.CELLS.keys()
    for name, cell in KINDS.items():
        assert set(textbook.CELLS[name.split("-")[0]][2].split()) == set(cell.gates)
    with pytest.raises(ValueError, match="no cell 'lstn'"):
        textbook.build("lstn")


@pytest.mark.parametrize("name", sorted({module for module, _, _ in textbook.CELLS.values()}))
def test_a_cell_is_read_in_one_screen_and_names_its_source(name):
    module = importlib.import_module(f"charrnn.textbook.{name}")
    assert any(f" {year}" in module.__doc__ for year in range(1990, 2020))
    assert len(inspect.getsource(module).splitlines()) < 100


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_the_slope_of_an_activation_is_its_derivative(name, rng):
    a, step = rng.normal(0, 2, 100), 1e-6
    difference = (ACTIVATIONS[name].value(a + step) - ACTIVATIONS[name].value(a - step)) / (2 * step)
    np.testing.assert_allclose(ACTIVATIONS[name].slope(a), difference, rtol=1e-6, atol=1e-9)


def test_nothing_overflows():
    with np.errstate(all="raise", under="ignore"):
        np.testing.assert_array_equal(sigmoid(np.array([-1e4, 0.0, 1e4, np.inf])), [0.0, 0.5, 1.0, 1.0])
        np.testing.assert_array_equal(log_softmax(np.array([1e4, 0.0, -1e4])), [0.0, -1e4, -2e4])


def test_a_weighted_loss_is_the_mean_over_what_counts(rng):
    logits, targets = rng.normal(size=(4, 2, 6)), rng.integers(6, size=(4, 2))
    weights = np.array([[1, 1], [1, 0], [1, 0], [0, 0]])
    nats = -(log_softmax(logits) * one_hot(targets, 6)).sum(axis=-1)
    loss, dlogits = cross_entropy(logits, targets, weights)
    assert loss == pytest.approx((nats[0, 0] + nats[0, 1] + nats[1, 0] + nats[2, 0]) / 4, rel=1e-14)
    assert not dlogits[weights == 0].any()
    (row,) = check(
        lambda: cross_entropy(logits, targets, weights)[0], {"logits": logits}, {"logits": dlogits}, finite_difference
    )
    assert row.ok
    assert cross_entropy(logits, targets)[0] == pytest.approx(nats.mean(), rel=1e-14)
