"""The LSTM with peepholes (Gers and Schmidhuber 2000): each gate sees the c that it is about to act on.

(1) z = [h, x]
(2) f = sigmoid(z @ W_f + p_f * c + b_f)
(3) i = sigmoid(z @ W_i + p_i * c + b_i)
(4) g = tanh(z @ W_c + b_c)
(5) c' = f * c + i * g
(6) o = sigmoid(z @ W_o + p_o * c' + b_o)
(7) h' = o * tanh(c')
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from charrnn.arrays import Array
from charrnn.textbook.base import Cell, State, Weights, affine_backward
from charrnn.textbook.functions import ACTIVATIONS, Activation, sigmoid


@dataclass(frozen=True)
class PeepholeLSTM(Cell):
    """Computes the LSTM with a peephole, a vector, for each gate."""

    candidate: Activation = ACTIVATIONS["tanh"]
    gates = ("f", "i", "c", "o")
    vectors = ("p_f", "p_i", "p_o")
    state = ("h", "c")

    def forward(self, p: Weights, x: Array, state: State) -> tuple[State, Any]:
        """Computes equations (1) to (7)."""
        h, c = state["h"], state["c"]
        z = np.concatenate([h, x], axis=1)  # (1)
        f = sigmoid(z @ p["W_f"] + p["p_f"] * c + p["b_f"])  # (2)
        i = sigmoid(z @ p["W_i"] + p["p_i"] * c + p["b_i"])  # (3)
        a_c = z @ p["W_c"] + p["b_c"]
        g = self.candidate.value(a_c)  # (4)
        c_next = f * c + i * g  # (5)
        o = sigmoid(z @ p["W_o"] + p["p_o"] * c_next + p["b_o"])  # (6)
        h_next = o * np.tanh(c_next)  # (7)
        return {"h": h_next, "c": c_next}, (z, c, f, i, a_c, g, o, c_next)

    def backward(self, p: Weights, cache: Any, dstate: State) -> tuple[Array, State, Weights]:
        """Differentiates each equation, from (7) to (1)."""
        z, c, f, i, a_c, g, o, c_next = cache
        dh_next, dc_next = dstate["h"], dstate["c"]
        # (7) h' = o * tanh(c')
        do = dh_next * np.tanh(c_next)
        dc_next = dc_next + dh_next * o * (1 - np.tanh(c_next) ** 2)
        # (6) o = sigmoid(...); c' is used here, too
        da_o = do * o * (1 - o)
        dc_next = dc_next + da_o * p["p_o"]
        # (5) c' = f * c + i * g
        df, dc = dc_next * c, dc_next * f
        di, dg = dc_next * g, dc_next * i
        # (4) to (2) the gates; c is used in (2) and (3), too
        da_c = dg * self.candidate.slope(a_c)
        da_i = di * i * (1 - i)
        da_f = df * f * (1 - f)
        dc = dc + da_i * p["p_i"] + da_f * p["p_f"]
        peepholes = {"p_f": (da_f * c).sum(axis=0), "p_i": (da_i * c).sum(axis=0), "p_o": (da_o * c_next).sum(axis=0)}
        # (1) z = [h, x] is read by all four
        dz, grads = affine_backward(p, z, {"f": da_f, "i": da_i, "c": da_c, "o": da_o})
        H = c.shape[1]
        return dz[:, H:], {"h": dz[:, :H], "c": dc}, grads | peepholes
