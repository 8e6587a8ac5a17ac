"""PyTorch's recurrent nets against the naive reference, and against the model: what they compute, and how they learn.

What is stored, and how PyTorch's two biases became one, is told in fixtures/make_torch_parity.py.
"""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import reference

from charrnn.arrays import Batch
from charrnn.nn.model import CharLM
from charrnn.nn.parameters import Parameters
from charrnn.optim import OPTIMIZERS, optimizers
from charrnn.optim.options import OptimConfig

STORED = dict(np.load(Path(__file__).parents[1] / "fixtures" / "torch_parity.npz"))
IDS, TARGETS = STORED["ids"], STORED["targets"]
NOWHERE = np.zeros(IDS.shape[1], bool)
CASES = sorted(name.removesuffix(":loss") for name in STORED if name.endswith(":loss"))
LEARNING_CASES = sorted(name.split(":losses.") for name in STORED if ":losses." in name)
TOLERANCE = 1e-12


def stored(case, kind):
    prefix = f"{case}:{kind}."
    return {name.removeprefix(prefix): array for name, array in STORED.items() if name.startswith(prefix)}


def stored_state(case, kind):
    """A list over layers, or over their directions."""
    parts = stored(case, kind)
    return [dict(zip(parts, layer, strict=True)) for layer in zip(*parts.values(), strict=True)]


def architecture(case):
    """Cell, activation and number of layers."""
    net, num_layers, _ = case.split("/")
    cell, _, activation = net.partition("-")
    return cell, activation or "tanh", int(num_layers)


def model_of(case):
    cell, activation, num_layers = architecture(case)
    width, vocab_size = STORED[f"{case}:params.head.W"].shape
    both = case.endswith("/bidirectional")
    hidden_size = width // 2 if both else width
    model = CharLM(
        vocab_size, cell=cell, hidden_size=hidden_size, num_layers=num_layers, activation=activation, bidirectional=both
    )
    params = Parameters.zeros(model.shapes, np.float64)
    assert params.keys() == stored(case, "params").keys()
    for name, array in stored(case, "params").items():
        params[name][...] = array
    return model, params


def results_of_torch(case, names):
    states = [stored_state(case, kind) for kind in ("dstate", "final")]
    return names(STORED[f"{case}:logits"], STORED[f"{case}:loss"], stored(case, "grads"), *states)


@pytest.mark.parametrize("case", CASES)
def test_reference_computes_what_pytorch_does(case, names, assert_same):
    run = (stored(case, "params"), *architecture(case), IDS)
    both, state = {"bidirectional": case.endswith("/bidirectional")}, stored_state(case, "state")
    logits, _ = reference.forward(*run, state, **both)
    loss, *others = reference.loss_and_grads(*run, TARGETS, state, dfinal=stored_state(case, "dfinal"), **both)
    assert_same(names(logits, loss, *others), results_of_torch(case, names), TOLERANCE)


@pytest.mark.parametrize("case", CASES)
def test_model_computes_what_pytorch_does(case, names, assert_same):
    model, params = model_of(case)
    state, dstate = stored_state(case, "state"), copy.deepcopy(stored_state(case, "dfinal"))
    grads = Parameters(model.shapes, np.full_like(params.vector, np.nan))
    logits, _ = model.forward(params, IDS, state)
    loss, final = model.loss_and_grads(params, Batch(IDS, TARGETS, NOWHERE), state, grads, dstate=dstate)
    expected = results_of_torch(case, names)
    assert_same(names(logits, loss, grads, dstate, final), expected, TOLERANCE)
    assert all(np.abs(array).max() > 1e-3 for array in expected.values())


@pytest.mark.parametrize(("case", "name"), LEARNING_CASES)
def test_ten_updates_of_a_model_give_the_losses_that_pytorch_has(case, name):
    model, params = model_of(case)
    eps = 1e-10 if name == "adagrad" else 1e-8  # as PyTorch has them
    optimizer = optimizers.build(OptimConfig(name, clip_norm=None, eps=eps))
    slots, grads = optimizer.init(params.vector), Parameters.zeros(model.shapes, np.float64)
    expected, losses = STORED[f"{case}:losses.{name}"], []
    for _ in expected:
        loss, _ = model.loss_and_grads(params, Batch(IDS, TARGETS, NOWHERE), stored_state(case, "state"), grads)
        losses.append(loss)
        optimizer.update(grads.vector, slots, float(STORED[f"learning_rate:{name}"]))
        params.vector -= grads.vector
    np.testing.assert_allclose(losses, expected, rtol=0, atol=1e-10)
    assert len(losses) == 11
    assert np.abs(np.diff(losses)).min() > 1e-3  # each update shows


def test_every_net_is_compared_with_the_same_optimizers():
    """Those that are not among them are compared by themselves, in optim/."""
    nets = {case for case in CASES if case.endswith("/1/forward")}
    names = {name for _, name in LEARNING_CASES}
    assert len(nets) == 4
    assert {"sgd", "momentum", "adagrad", "rmsprop", "adam"} <= names <= set(OPTIMIZERS)
    assert {tuple(pair) for pair in LEARNING_CASES} == {(case, name) for case in nets for name in names}
