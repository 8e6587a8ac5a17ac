"""The whole model against an independent naive one: per gate, per row, from the equations alone."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import reference
from architectures import ARCHITECTURES

from charrnn.judging.gradcheck.subject import check_model
from charrnn.nn import cells, unroll
from charrnn.nn.model import CharLM
from charrnn.nn.noise import LayerNoise

TOLERANCE = 1e-12
V, H = 7, 4
AT_ONCE = {name: chosen for name, chosen in ARCHITECTURES.items() if "everything" in name}
OTHER_IN_EVALUATION = {
    name: chosen
    for name, chosen in ARCHITECTURES.items()
    if "zoneout_h" in chosen or "zoneout_c" in chosen or chosen.get("initial_state") == "random"
}


def noise_of(window):
    """What is random in a window; without noise, what zoneout comes to on average."""
    probabilities = {"h": window.model.zoneout_h, "c": window.model.zoneout_c}
    stays = {name: np.full((*window.ids.shape, H), p) for name, p in probabilities.items() if p}
    return window.noise or [LayerNoise(zoneout=stays) for _ in window.state]


def reference_results(window, names):
    model, noise = window.model, noise_of(window)
    params, state, starts = dict(window.params), copy.deepcopy(window.state), window.starts
    random = model.initial_state == "random" and window.noise is not None
    for prefix, layer, drawn in zip(model.stack.prefixes, state, noise, strict=True):
        for key in layer:
            # The reference knows a learned initial state only: "zero" is one that is zero, "random" one that is given.
            params.setdefault(f"{prefix}{key}0", np.zeros(H))
            if random:
                layer[key][starts] = drawn.start[key][starts]
    outputs = [layer.output_mask for layer in noise[:: 2 if model.bidirectional else 1]]
    masks = [None if mask is None else np.broadcast_to(mask, (*window.ids.shape, mask.shape[2])) for mask in outputs]
    options = {
        "masks": [None, *masks],
        "starts": None if random else starts,
        "candidate_masks": [layer.candidate_mask for layer in noise] if model.recurrent_dropout else None,
        "zoneout": [layer.zoneout for layer in noise],
        "bidirectional": model.bidirectional,
    }
    run = (params, model.cell, model.activation, model.num_layers, window.ids)
    logits, _ = reference.forward(*run, state, **options)
    loss, grads, dstate, final = reference.loss_and_grads(*run, window.targets, state, dfinal=window.dstate, **options)
    for array in (array for layer in dstate for array in layer.values() if random):
        array[starts] = 0  # what was drawn does not depend on the state given
    return names(logits, loss, {name: grads[name] for name in window.params}, dstate, final)


def test_everything_a_model_computes_equals_the_reference(architecture, window, names, assert_same):
    case = window(CharLM(V, hidden_size=H, num_layers=2, **architecture), T=4)
    expected = reference_results(case, names)
    assert_same(case.results(), expected, TOLERANCE)
    assert all(np.abs(array).max() > 1e-5 for array in expected.values())


@pytest.mark.parametrize("architecture", OTHER_IN_EVALUATION.values(), ids=OTHER_IN_EVALUATION)
def test_without_noise_a_model_computes_what_is_expected_of_it_on_average(architecture, window, names, assert_same):
    case = replace(window(CharLM(V, hidden_size=H, **architecture), T=4), noise=None)
    assert_same(case.results(), reference_results(case, names), TOLERANCE)


@pytest.mark.parametrize("bidirectional", [False, True], ids=["forward", "both"])
@pytest.mark.parametrize("num_layers", [1, 3])
def test_a_model_of_any_depth_equals_the_reference(cell, num_layers, bidirectional, window, names, assert_same):
    chosen = cell | {"bidirectional": bidirectional, "initial_state": "learned", "dropout": 0.3}
    case = window(CharLM(V, hidden_size=H, num_layers=num_layers, **chosen), T=3, starts=(0, 2))
    assert_same(case.results(), reference_results(case, names), TOLERANCE)


@pytest.mark.parametrize("architecture", AT_ONCE.values(), ids=AT_ONCE)
@pytest.mark.parametrize(("T", "B"), [(1, 1), (1, 4), (6, 1)])
def test_windows_of_one_step_or_one_row_equal_the_reference(architecture, T, B, window, names, assert_same):
    model = CharLM(V, hidden_size=H, num_layers=2, **architecture)
    for starts in ((), (0,)):
        case = window(model, T=T, B=B, starts=starts)
        assert_same(case.results(), reference_results(case, names), TOLERANCE)


def test_every_registered_cell_has_a_reference():
    assert cells.CELLS.keys() == reference.GATES.keys()
    for name in cells.CELLS:
        cell = cells.build(name)
        assert len(cell.gates) == len(reference.GATES[name])
        assert cell.state == reference.STATE_KEYS[name]


def test_the_reference_sees_that_gates_are_swapped_which_no_gradient_can(window, names, assert_same, monkeypatch):
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

    model = CharLM(V, cell="lstm", hidden_size=H)
    case = window(model)
    monkeypatch.setattr(
        unroll, "forward", lambda cell, params, *rest, **more: forward(cell, swap(params), *rest, **more)
    )
    monkeypatch.setattr(unroll, "backward", swapped_backward)
    assert all(row.ok for row in check_model(model))
    with pytest.raises(AssertionError, match="logits"):
        assert_same(case.results(), reference_results(case, names), TOLERANCE)
