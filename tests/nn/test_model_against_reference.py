"""The whole model against an independent naive one: per gate, per row, from the equations alone."""

from __future__ import annotations

import numpy as np
import pytest
import reference

from charrnn.gradcheck.subject import check_model
from charrnn.nn import unroll
from charrnn.nn.cells import CELLS
from charrnn.nn.model import CharLM

TOLERANCE = 1e-12
V, H = 7, 4


def reference_results(window, names):
    model, state = window.model, window.state
    # The reference knows a learned initial state only: "zero" is one that is zero.
    zeros = {f"layers.{i}.{key}0": np.zeros(H) for i, layer in enumerate(state) for key in layer}
    params = zeros | window.params
    run = (params, model.cell, model.activation, model.num_layers, window.ids)
    logits, _ = reference.forward(*run, state, window.masks, window.starts)
    loss, grads, dstate, final = reference.loss_and_grads(
        *run, window.targets, state, window.masks, window.starts, window.dstate
    )
    return names(logits, loss, {name: grads[name] for name in window.params}, dstate, final)


@pytest.mark.parametrize("dropout", [0.0, 0.3], ids=["whole", "dropout"])
@pytest.mark.parametrize("initial_state", ["zero", "learned"])
@pytest.mark.parametrize("num_layers", [1, 2, 3])
def test_everything_a_model_computes_equals_the_reference(
    cell, num_layers, initial_state, dropout, window, names, assert_same
):
    model = CharLM(V, hidden_size=H, num_layers=num_layers, initial_state=initial_state, dropout=dropout, **cell)
    case = window(model, B=4, starts=(1, 3))
    expected = reference_results(case, names)
    assert_same(case.results(), expected, TOLERANCE)
    assert all(np.abs(array).max() > 1e-5 for array in expected.values())


@pytest.mark.parametrize(("T", "B"), [(1, 1), (1, 4), (6, 1)])
def test_windows_of_one_step_or_one_row_equal_the_reference(cell, T, B, window, names, assert_same):
    model = CharLM(V, hidden_size=H, num_layers=2, dropout=0.3, **cell)
    for starts in ((), (0,)):
        case = window(model, T=T, B=B, starts=starts)
        assert_same(case.results(), reference_results(case, names), TOLERANCE)


def test_every_registered_cell_has_a_reference():
    assert CELLS.keys() <= reference.GATES.keys()
    for name, make in CELLS.items():
        assert len(make("tanh").gates) == len(reference.GATES[name])
        assert make("tanh").state == reference.STATE_KEYS[name]


def test_the_reference_sees_input_and_output_gates_swapped_which_no_gradient_can(
    window, names, assert_same, monkeypatch
):
    def swap(arrays):
        """The i and o columns of W and b exchanged."""
        exchanged = dict(arrays)
        for name in ("W", "b"):
            i, f, g, o = np.split(arrays[name], 4, axis=-1)
            exchanged[name] = np.concatenate([o, f, g, i], axis=-1)
        return exchanged

    forward, backward = unroll.forward, unroll.backward

    def swapped_backward(cell, params, dh, dstate, tape, grads, dx):
        swapped = {name: np.empty_like(grad) for name, grad in grads.items()}
        backward(cell, swap(params), dh, dstate, tape, swapped, dx)
        for name, grad in swap(swapped).items():
            grads[name][...] = grad

    model = CharLM(V, "lstm", hidden_size=H)
    case = window(model)
    monkeypatch.setattr(unroll, "forward", lambda cell, params, *rest: forward(cell, swap(params), *rest))
    monkeypatch.setattr(unroll, "backward", swapped_backward)
    assert all(row.ok for row in check_model(model))
    with pytest.raises(AssertionError, match="logits"):
        assert_same(case.results(), reference_results(case, names), TOLERANCE)
