"""The minimal gated unit (Zhou et al. 2016, arXiv 1603.09420): one gate, which forgets and resets.

(1) f = sigmoid([h, x] @ W_f + b_f)
(2) n = tanh([f * h, x] @ W_n + b_n)
(3) h' = (1 - f) * h + f * n
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from charrnn.arrays import Array
from charrnn.textbook.base import Cell, State, Weights, affine_backward
from charrnn.textbook.functions import ACTIVATIONS, Activation, sigmoid


@dataclass(frozen=True)
class MGU(Cell):
    """Computes a step with one gate, a candidate n, and one state."""

    candidate: Activation = ACTIVATIONS["tanh"]
    gates = ("f", "n")

    def forward(self, p: Weights, x: Array, state: State) -> tuple[State, Any]:
        """Computes equations (1) to (3)."""
        h = state["h"]
        hx = np.concatenate([h, x], axis=1)
        f = sigmoid(hx @ p["W_f"] + p["b_f"])  # (1)
        fhx = np.concatenate([f * h, x], axis=1)
        a_n = fhx @ p["W_n"] + p["b_n"]
        n = self.candidate.value(a_n)  # (2)
        h_next = (1 - f) * h + f * n  # (3)
        return {"h": h_next}, (h, hx, fhx, f, a_n, n)

    def backward(self, p: Weights, cache: Any, dstate: State) -> tuple[Array, State, Weights]:
        """Differentiates each equation, from (3) to (1)."""
        h, hx, fhx, f, a_n, n = cache
        H, dh_next = h.shape[1], dstate["h"]
        # (3) h' = (1 - f) * h + f * n
        df, dn, dh = dh_next * (n - h), dh_next * f, dh_next * (1 - f)
        # (2) n = tanh([f * h, x] @ W_n + b_n)
        dfhx, of_n = affine_backward(p, fhx, {"n": dn * self.candidate.slope(a_n)})
        dfh, dx = dfhx[:, :H], dfhx[:, H:]
        df, dh = df + dfh * h, dh + dfh * f
        # (1) f = sigmoid([h, x] @ W_f + b_f)
        dhx, grads = affine_backward(p, hx, {"f": df * f * (1 - f)})
        return dx + dhx[:, H:], {"h": dh + dhx[:, :H]}, grads | of_n
