"""The LSTM with full gate recurrence (Greff et al. 2015, arXiv 1503.04069): each gate reads all gates a step later.

(1) z = [h, x];  r_i, r_f, r_o = the thirds of [i, f, o] @ R          the gates of the step before
(2) f' = sigmoid(z @ W_f + r_f + b_f)
(3) i' = sigmoid(z @ W_i + r_i + b_i)
(4) g = tanh(z @ W_c + b_c)
(5) o' = sigmoid(z @ W_o + r_o + b_o)
(6) c' = f' * c + i' * g
(7) h' = o' * tanh(c')
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from charrnn.arrays import Array
from charrnn.textbook.base import Cell, State, Weights, affine_backward
from charrnn.textbook.functions import ACTIVATIONS, Activation, sigmoid


@dataclass(frozen=True)
class FullGateRecurrence(Cell):
    """Computes the LSTM with a matrix R (3H, 3H) from gates to gates, which are a part of its state."""

    candidate: Activation = ACTIVATIONS["tanh"]
    gates = ("f", "i", "c", "o")
    state = ("h", "c", "i", "f", "o")

    def shapes(self, D: int, H: int) -> dict[str, tuple[int, ...]]:
        """Returns those of the LSTM, and that of R."""
        return super().shapes(D, H) | {"R": (3 * H, 3 * H)}

    def forward(self, p: Weights, x: Array, state: State) -> tuple[State, Any]:
        """Computes equations (1) to (7)."""
        c = state["c"]
        z = np.concatenate([state["h"], x], axis=1)  # (1)
        gates = np.concatenate([state["i"], state["f"], state["o"]], axis=1)
        r_i, r_f, r_o = np.split(gates @ p["R"], 3, axis=1)
        f = sigmoid(z @ p["W_f"] + r_f + p["b_f"])  # (2)
        i = sigmoid(z @ p["W_i"] + r_i + p["b_i"])  # (3)
        a_c = z @ p["W_c"] + p["b_c"]
        g = self.candidate.value(a_c)  # (4)
        o = sigmoid(z @ p["W_o"] + r_o + p["b_o"])  # (5)
        c_next = f * c + i * g  # (6)
        h_next = o * np.tanh(c_next)  # (7)
        return {"h": h_next, "c": c_next, "i": i, "f": f, "o": o}, (z, gates, c, f, i, a_c, g, o, c_next)

    def backward(self, p: Weights, cache: Any, dstate: State) -> tuple[Array, State, Weights]:
        """Differentiates each equation, from (7) to (1)."""
        z, gates, c, f, i, a_c, g, o, c_next = cache
        dh_next, dc_next = dstate["h"], dstate["c"]
        # (7) h' = o' * tanh(c'); what is added to a gate's gradient is from the next step
        do = dstate["o"] + dh_next * np.tanh(c_next)
        dc_next = dc_next + dh_next * o * (1 - np.tanh(c_next) ** 2)
        # (6) c' = f' * c + i' * g
        df, dc = dstate["f"] + dc_next * c, dc_next * f
        di, dg = dstate["i"] + dc_next * g, dc_next * i
        # (5) to (2) the gates
        da_o = do * o * (1 - o)
        da_c = dg * self.candidate.slope(a_c)
        da_i = di * i * (1 - i)
        da_f = df * f * (1 - f)
        # (1) z = [h, x] is read by all four, [i, f, o] by three
        dr = np.concatenate([da_i, da_f, da_o], axis=1)
        di_before, df_before, do_before = np.split(dr @ p["R"].T, 3, axis=1)
        dz, grads = affine_backward(p, z, {"f": da_f, "i": da_i, "c": da_c, "o": da_o})
        H = c.shape[1]
        before = {"h": dz[:, :H], "c": dc, "i": di_before, "f": df_before, "o": do_before}
        return dz[:, H:], before, grads | {"R": gates.T @ dr}
