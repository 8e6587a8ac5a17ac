"""The gated recurrent unit (Cho et al. 2014, arXiv 1406.1078) as cuDNN and PyTorch have it: r is after the product.

(1) r = sigmoid([h, x] @ W_r + b_r)
(2) z = sigmoid([h, x] @ W_z + b_z)
(3) q = h @ W_hn + b_hn                                  W_n is W_hn (H, H) above W_xn (D, H)
(4) n = tanh(x @ W_xn + r * q + b_n)
(5) h' = (1 - z) * n + z * h
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from charrnn.arrays import Array
from charrnn.textbook.base import Cell, State, Weights, affine_backward
from charrnn.textbook.functions import ACTIVATIONS, Activation, sigmoid


@dataclass(frozen=True)
class GRU(Cell):
    """Computes a step with two gates, a candidate n, and one state; here z is the update gate."""

    candidate: Activation = ACTIVATIONS["tanh"]
    gates = ("r", "z", "n")
    vectors = ("b_hn",)

    def forward(self, p: Weights, x: Array, state: State) -> tuple[State, Any]:
        """Computes equations (1) to (5)."""
        h = state["h"]
        hx = np.concatenate([h, x], axis=1)
        W_hn, W_xn = np.split(p["W_n"], [h.shape[1]])
        r = sigmoid(hx @ p["W_r"] + p["b_r"])  # (1)
        z = sigmoid(hx @ p["W_z"] + p["b_z"])  # (2)
        q = h @ W_hn + p["b_hn"]  # (3)
        a_n = x @ W_xn + r * q + p["b_n"]
        n = self.candidate.value(a_n)  # (4)
        h_next = (1 - z) * n + z * h  # (5)
        return {"h": h_next}, (x, h, hx, r, z, q, a_n, n)

    def backward(self, p: Weights, cache: Any, dstate: State) -> tuple[Array, State, Weights]:
        """Differentiates each equation, from (5) to (1)."""
        x, h, hx, r, z, q, a_n, n = cache
        H, dh_next = h.shape[1], dstate["h"]
        W_hn, W_xn = np.split(p["W_n"], [H])
        # (5) h' = (1 - z) * n + z * h
        dn, dz, dh = dh_next * (1 - z), dh_next * (h - n), dh_next * z
        # (4) n = tanh(x @ W_xn + r * q + b_n)
        da_n = dn * self.candidate.slope(a_n)
        dr, dq, dx = da_n * q, da_n * r, da_n @ W_xn.T
        # (3) q = h @ W_hn + b_hn
        dh = dh + dq @ W_hn.T
        of_n = {"W_n": np.concatenate([h.T @ dq, x.T @ da_n]), "b_n": da_n.sum(axis=0), "b_hn": dq.sum(axis=0)}
        # (2, 1) the gates
        dhx, grads = affine_backward(p, hx, {"r": dr * r * (1 - r), "z": dz * z * (1 - z)})
        return dx + dhx[:, H:], {"h": dh + dhx[:, :H]}, grads | of_n
