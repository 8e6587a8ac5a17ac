"""Every gradient of every registered cell with every option, against oracles that know the forward pass alone."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from architectures import ARCHITECTURES

from charrnn.judging.gradcheck import ORACLES, subject
from charrnn.judging.gradcheck.check import check
from charrnn.judging.gradcheck.oracles import complex_step, finite_difference
from charrnn.judging.gradcheck.subject import check_model, small
from charrnn.nn import unroll
from charrnn.nn.model import CharLM
from charrnn.nn.options import ModelConfig
from charrnn.nn.tape import Tape

V, H = 5, 3


def wrong(rows, tolerance=1e-6):
    return [row for row in rows if not (row.ok and row.error <= tolerance)]


ALONE = {name: chosen for name, chosen in ARCHITECTURES.items() if not name.endswith("everything_bidirectional")}


@pytest.mark.parametrize("architecture", ALONE.values(), ids=ALONE)
def test_every_gradient_is_that_of_finite_differences(architecture):
    model = CharLM(V, hidden_size=H, **architecture)
    rows = check_model(model)
    assert wrong(rows) == []
    # ... at every coordinate of every parameter, and of the state that came in.
    state = model.zero_state(subject.BATCH_SIZE)
    states = {f"state.{i}.{key}": array.shape for i, layer in enumerate(state) for key, array in layer.items()}
    assert {row.name: row.shape for row in rows} == model.shapes | states
    assert all(row.checked == np.prod(row.shape) for row in rows)


def test_every_gradient_of_two_layers_is_that_of_the_complex_step(architecture):
    at_most = architecture not in ALONE.values()  # that is slow, and two directions are two layers as well
    model = CharLM(V, hidden_size=H, num_layers=1 if at_most else 2, **architecture)
    assert wrong(check_model(model, "complex-step"), 1e-12) == []


@pytest.mark.parametrize(("num_layers", "initial_state"), [(2, "zero"), (2, "random"), (2, "learned"), (3, "learned")])
def test_layers_on_top_of_each_other_pass_gradients_on(cell, num_layers, initial_state):
    model = CharLM(V, hidden_size=H, num_layers=num_layers, initial_state=initial_state, **cell)
    assert wrong(check_model(model)) == []


def layer_rows(cell, oracle):
    """A check of one layer that reads floats, of another size than its state, with a cotangent on every output."""
    T, B, D, H = 4, 3, 5, 3
    rng = np.random.default_rng(0)
    dtype = np.complex128 if oracle is complex_step else np.float64
    kind = CharLM(2, **cell).stack.cell

    def normal(*shape):
        return rng.normal(0, 0.5, shape).astype(dtype)

    params = {name: normal(*shape) for name, shape in unroll.shapes(kind, D, H, True).items()}
    x, dh, starts = normal(T, B, D), normal(T, B, H), np.array([True, False, True])
    tape = Tape(kind.layout, T, B, H, dtype)
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
        oracle,
    )


@pytest.mark.parametrize("oracle", [finite_difference, complex_step])
def test_a_layer_that_reads_floats_passes_their_gradient_on(cell, oracle):
    tolerance = 1e-12 if oracle is complex_step else 1e-6
    assert wrong(layer_rows(cell, oracle), tolerance) == []


def test_the_conditions_of_a_check_are_hard():
    assert subject.SEQ_LENGTH >= 4
    assert subject.BATCH_SIZE >= 2
    config = small(ModelConfig("lstm", 500, 3, initial_state="random", dropout=0.3))
    assert config == ModelConfig("lstm", subject.HIDDEN_SIZE, 3, initial_state="random", dropout=0.3)
    assert subject.VOCAB_SIZE != subject.HIDDEN_SIZE


@pytest.mark.parametrize("oracle", ORACLES)
def test_the_seed_alone_decides_a_check(oracle):
    model = CharLM(4, cell="lstm", hidden_size=2, dropout=0.3, initial_state="random")
    first = check_model(model, oracle)
    assert check_model(model, oracle) == first
    assert {row.analytic for row in check_model(model, oracle, seed=1)}.isdisjoint(row.analytic for row in first)
