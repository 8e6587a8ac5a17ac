"""Every gradient of every registered cell, against oracles that know the forward pass alone."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from charrnn.gradcheck import subject
from charrnn.gradcheck.check import check
from charrnn.gradcheck.oracles import ORACLES
from charrnn.gradcheck.subject import check_model, small
from charrnn.nn import unroll
from charrnn.nn.cells.base import Tape
from charrnn.nn.model import CharLM


def test_every_gradient_is_that_of_finite_differences(cell, num_layers, initial_state, dropout):
    model = small(CharLM(99, num_layers=num_layers, initial_state=initial_state, dropout=dropout, **cell))
    rows = check_model(model)
    assert [row for row in rows if not row.ok] == []
    # ... at every coordinate of every parameter, and of the state that came in.
    state = model.zero_state(subject.BATCH_SIZE)
    states = {f"state.{i}.{key}": array.shape for i, layer in enumerate(state) for key, array in layer.items()}
    assert {row.name: row.shape for row in rows} == model.shapes | states
    assert all(row.checked == np.prod(row.shape) for row in rows)


def test_every_gradient_is_that_of_the_complex_step(smooth_cell, num_layers, initial_state, dropout):
    model = small(CharLM(99, num_layers=num_layers, initial_state=initial_state, dropout=dropout, **smooth_cell))
    rows = check_model(model, "complex-step")
    assert [row for row in rows if not (row.ok and row.error < 1e-11)] == []


def layer_rows(cell, oracle):
    """A check of one layer that reads floats, of another size than its state, with a cotangent on every output."""
    T, B, D, H = 4, 3, 5, 3
    rng = np.random.default_rng(0)
    dtype = np.complex128 if oracle == "complex-step" else np.float64
    kind = CharLM(2, **cell).stack.cell

    def normal(*shape):
        return rng.normal(0, 0.5, shape).astype(dtype)

    params = {name: normal(*shape) for name, shape in unroll.shapes(kind, D, H, True).items()}
    x, dh, starts, tape = normal(T, B, D), normal(T, B, H), np.array([True, False, True]), Tape(kind, T, B, H, dtype)
    state, cotangent = ({name: normal(B, H) for name in kind.state} for _ in range(2))

    def objective():
        h = unroll.forward(kind, params, x, state, starts, tape)
        return (dh * h).sum() + sum((cotangent[name] * tape.state[name][-1]).sum() for name in kind.state)

    objective()
    grads, dstate = {name: np.full_like(p, np.nan) for name, p in params.items()}, copy.deepcopy(cotangent)
    dx = np.full_like(x, np.nan)
    unroll.backward(kind, params, dh, dstate, tape, grads, dx)
    return check(
        objective,
        {"x": x, **params, **{f"state.{name}": array for name, array in state.items()}},
        {"x": dx, **grads, **{f"state.{name}": array for name, array in dstate.items()}},
        ORACLES[oracle],
    )


def test_a_layer_that_reads_floats_passes_their_gradient_on(cell):
    assert [row for row in layer_rows(cell, "finite-difference") if not row.ok] == []


def test_a_layer_that_reads_floats_agrees_with_the_complex_step(smooth_cell):
    assert [row for row in layer_rows(smooth_cell, "complex-step") if not (row.ok and row.error < 1e-11)] == []


def test_the_conditions_of_a_check_are_hard():
    assert subject.SEQ_LENGTH >= 4
    assert subject.BATCH_SIZE >= 2
    assert subject.VOCAB_SIZE != subject.HIDDEN_SIZE


@pytest.mark.parametrize("oracle", ORACLES)
def test_the_seed_alone_decides_a_check(oracle):
    model = small(CharLM(9, "lstm", dropout=0.3, initial_state="learned"))
    first = check_model(model, oracle)
    assert check_model(model, oracle) == first
    assert {row.analytic for row in check_model(model, oracle, seed=1)}.isdisjoint(row.analytic for row in first)
