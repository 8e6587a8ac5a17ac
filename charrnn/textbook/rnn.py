"""The plain recurrent network (Elman 1990), with tanh, relu or sigmoid for its activation.

(1) z = [h, x]
(2) a = z @ W_a + b_a
(3) h' = activation(a)

`docs/backpropagation.md` derives the backward pass.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from charrnn.arrays import Array
from charrnn.textbook.base import Cell, State, Weights
from charrnn.textbook.functions import ACTIVATIONS


@dataclass(frozen=True)
class RNN(Cell):
    """Computes a step with one matrix and one state."""

    activation: str = "tanh"
    gates = ("a",)

    def forward(self, p: Weights, x: Array, state: State) -> tuple[State, Any]:
        """Computes equations (1) to (3)."""
        z = np.concatenate([state["h"], x], axis=1)  # (1)
        a = z @ p["W_a"] + p["b_a"]  # (2)
        h_next = ACTIVATIONS[self.activation].value(a)  # (3)
        return {"h": h_next}, (z, a)

    def backward(self, p: Weights, cache: Any, dstate: State) -> tuple[Array, State, Weights]:
        """Differentiates each equation, from (3) to (1)."""
        z, a = cache
        da = dstate["h"] * ACTIVATIONS[self.activation].slope(a)  # (3)
        dW, db, dz = z.T @ da, da.sum(axis=0), da @ p["W_a"].T  # (2)
        H = a.shape[1]
        dh, dx = dz[:, :H], dz[:, H:]  # (1)
        return dx, {"h": dh}, {"W_a": dW, "b_a": db}
