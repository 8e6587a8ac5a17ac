"""The gated recurrent unit as it was published (Cho et al. 2014, arXiv 1406.1078): r is before the product.

(1) r = sigmoid([h, x] @ W_r + b_r)
(2) z = sigmoid([h, x] @ W_z + b_z)
(3) n = tanh([r * h, x] @ W_n + b_n)
(4) h' = (1 - z) * n + z * h
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from charrnn.arrays import Array
from charrnn.textbook.base import Cell, State, Weights, affine_backward
from charrnn.textbook.functions import ACTIVATIONS, Activation, sigmoid


@dataclass(frozen=True)
class GRUResetBefore(Cell):
    """Computes a step with two gates, a candidate n, and one state; here z is the update gate."""

    candidate: Activation = ACTIVATIONS["tanh"]
    gates = ("r", "z", "n")

    def forward(self, p: Weights, x: Array, state: State) -> tuple[State, Any]:
        """Computes equations (1) to (4)."""
        h = state["h"]
        hx = np.concatenate([h, x], axis=1)
        r = sigmoid(hx @ p["W_r"] + p["b_r"])  # (1)
        z = sigmoid(hx @ p["W_z"] + p["b_z"])  # (2)
        rhx = np.concatenate([r * h, x], axis=1)
        a_n = rhx @ p["W_n"] + p["b_n"]
        n = self.candidate.value(a_n)  # (3)
        h_next = (1 - z) * n + z * h  # (4)
        return {"h": h_next}, (h, hx, rhx, r, z, a_n, n)

    def backward(self, p: Weights, cache: Any, dstate: State) -> tuple[Array, State, Weights]:
        """Differentiates each equation, from (4) to (1)."""
        h, hx, rhx, r, z, a_n, n = cache
        H, dh_next = h.shape[1], dstate["h"]
        # (4) h' = (1 - z) * n + z * h
        dn, dz, dh = dh_next * (1 - z), dh_next * (h - n), dh_next * z
        # (3) n = tanh([r * h, x] @ W_n + b_n)
        drhx, of_n = affine_backward(p, rhx, {"n": dn * self.candidate.slope(a_n)})
        drh, dx = drhx[:, :H], drhx[:, H:]
        dr, dh = drh * h, dh + drh * r
        # (2, 1) the gates
        dhx, grads = affine_backward(p, hx, {"r": dr * r * (1 - r), "z": dz * z * (1 - z)})
        return dx + dhx[:, H:], {"h": dh + dhx[:, :H]}, grads | of_n
