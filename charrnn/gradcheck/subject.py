"""What `charrnn gradcheck` checks: a configured architecture, built small, in float64, under hard conditions."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from charrnn.gradcheck.check import SMALLEST, Row, check
from charrnn.gradcheck.oracles import ORACLES
from charrnn.nn import head
from charrnn.nn.model import CharLM
from charrnn.nn.numerics import Array
from charrnn.nn.parameters import Parameters
from charrnn.nn.stack import State

SEQ_LENGTH, BATCH_SIZE, VOCAB_SIZE, HIDDEN_SIZE = 4, 4, 6, 4
DRAWS = 30
"""How often conditions are drawn at most, until every parameter is put to a test."""


def small(model: CharLM) -> CharLM:
    """The same architecture with few units and characters: an error in a gradient does not depend on the size."""
    return dataclasses.replace(model, vocab_size=VOCAB_SIZE, hidden_size=HIDDEN_SIZE)


def check_model(model: CharLM, oracle: str = "finite-difference", seed: int = 0) -> list[Row]:
    """A row for every parameter, and for the initial state, of `model` over one random window.

    The weights are random with standard deviation 0.5, the state that comes in is random and not zero, two rows begin
    a text if the initial state is learned, dropout uses one fixed mask, and the objective adds random multiples of the
    final state to the loss, so that every path of the backward pass carries something. A draw that leaves some
    parameter's gradients too small to judge, such as one of dead rectifiers, is drawn anew, at most `DRAWS` times.
    """
    for draw in range(DRAWS):
        loss, arrays, gradients = _draw(model, np.complex128 if oracle == "complex-step" else np.float64, seed + draw)
        if all(np.abs(gradient).max() >= SMALLEST for gradient in gradients.values()):
            break
    return check(loss, arrays, gradients, ORACLES[oracle])


def _draw(model: CharLM, dtype: Any, seed: int) -> tuple[Callable[[], Any], dict[str, Array], dict[str, Array]]:
    """An objective, the arrays it reads, and its gradients with respect to them."""
    rng = np.random.default_rng(seed)
    T, B = SEQ_LENGTH, BATCH_SIZE
    params = Parameters.zeros(model.shapes, dtype)
    params.vector[...] = rng.normal(0, 0.5, params.vector.shape)
    ids, targets = rng.integers(model.vocab_size, size=(2, T, B))
    state, cotangent = _random_state(model, rng, 0.5, dtype), _random_state(model, rng, 1.0, dtype)
    starts = (np.arange(B) % 2 == 1) & (model.initial_state == "learned")
    masks = model.masks(rng, T, B, dtype)

    def loss() -> Any:
        # The loss alone: the backward pass has no part in what judges it.
        logits, final = model.forward(params, ids, state, starts, masks)
        return _objective(logits, targets, final, cotangent)

    grads = Parameters.zeros(model.shapes, dtype)
    dstate = [{name: d.copy() for name, d in layer.items()} for layer in cotangent]
    model.loss_and_grads(params, ids, targets, state, grads, starts, masks, dstate)
    return loss, {**params, **_named(state)}, {**grads, **_named(dstate)}


def _objective(logits: Array, targets: Array, final: State, cotangent: State) -> Any:
    extra = sum((c[k] * f[k]).sum() for c, f in zip(cotangent, final, strict=True) for k in f)
    return head.nats(logits, targets).mean() + extra


def _random_state(model: CharLM, rng: np.random.Generator, std: float, dtype: Any) -> State:
    return [
        {name: rng.normal(0, std, zero.shape).astype(dtype) for name, zero in layer.items()}
        for layer in model.zero_state(BATCH_SIZE, dtype)
    ]


def _named(state: State) -> dict[str, Array]:
    return {f"state.{i}.{name}": array for i, layer in enumerate(state) for name, array in layer.items()}
