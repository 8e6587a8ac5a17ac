"""What `charrnn gradcheck` checks: a configured architecture, built small, in float64, under hard conditions."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from charrnn.gradcheck.check import Row, check
from charrnn.gradcheck.oracles import ORACLES
from charrnn.nn import head
from charrnn.nn.model import CharLM
from charrnn.nn.numerics import Array
from charrnn.nn.parameters import Parameters
from charrnn.nn.stack import State

SEQ_LENGTH, BATCH_SIZE, VOCAB_SIZE, HIDDEN_SIZE = 5, 3, 6, 4


def small(model: CharLM) -> CharLM:
    """The same architecture with few units and characters: an error in a gradient does not depend on the size."""
    return dataclasses.replace(model, vocab_size=VOCAB_SIZE, hidden_size=HIDDEN_SIZE)


def check_model(model: CharLM, oracle: str = "finite-difference", seed: int = 0) -> list[Row]:
    """A row for every parameter, and for the initial state, of `model` over one random window.

    The weights are random with standard deviation 0.5, the state that comes in is random and not zero, one row begins
    a text if the initial state is learned, dropout uses one fixed mask, and the objective adds random multiples of the
    final state to the loss, so that every path of the backward pass carries something.
    """
    rng = np.random.default_rng(seed)
    T, B = SEQ_LENGTH, BATCH_SIZE
    dtype = np.complex128 if oracle == "complex-step" else np.float64
    params = Parameters.zeros(model.shapes, dtype)
    params.vector[...] = rng.normal(0, 0.5, params.vector.shape)
    ids, targets = rng.integers(model.vocab_size, size=(2, T, B))
    state, cotangent = _random_state(model, rng, dtype), _random_state(model, rng, dtype)
    starts = np.arange(B) == (1 if model.initial_state == "learned" else B)
    masks = model.masks(rng, T, B, dtype)

    def loss() -> Any:
        # The loss alone: the backward pass has no part in what judges it.
        logits, final = model.forward(params, ids, state, starts, masks)
        return _objective(logits, targets, final, cotangent)

    grads = Parameters.zeros(model.shapes, dtype)
    dstate = [{name: d.copy() for name, d in layer.items()} for layer in cotangent]
    model.loss_and_grads(params, ids, targets, state, grads, starts, masks, dstate)
    return check(loss, {**params, **_named(state)}, {**grads, **_named(dstate)}, ORACLES[oracle])


def _objective(logits: Array, targets: Array, final: State, cotangent: State) -> Any:
    extra = sum((c[k] * f[k]).sum() for c, f in zip(cotangent, final, strict=True) for k in f)
    return head.nats(logits, targets).mean() + extra


def _random_state(model: CharLM, rng: np.random.Generator, dtype: Any) -> State:
    return [
        {name: rng.normal(0, 0.5, zero.shape).astype(dtype) for name, zero in layer.items()}
        for layer in model.zero_state(BATCH_SIZE, dtype)
    ]


def _named(state: State) -> dict[str, Array]:
    return {f"state.{i}.{name}": array for i, layer in enumerate(state) for name, array in layer.items()}
