"""Long short-term memory (Hochreiter and Schmidhuber 1997), with the forget gate of Gers et al. 2000.

(1) z = [h, x]
(2) f = sigmoid(z @ W_f + b_f)
(3) i = sigmoid(z @ W_i + b_i)
(4) g = tanh(z @ W_c + b_c)
(5) o = sigmoid(z @ W_o + b_o)
(6) c' = f * c + i * g
(7) h' = o * tanh(c')

In place of the tanh of (4) and of (7) there may be another function: Greff et al. 2015 (arXiv 1503.04069) call them the
input and the output activation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from charrnn.arrays import Array
from charrnn.textbook.base import Cell, State, Weights
from charrnn.textbook.functions import ACTIVATIONS, Activation, sigmoid


@dataclass(frozen=True)
class LSTM(Cell):
    """Computes a step with four matrices and, beside the state h, which is the output, a state c, which is not."""

    candidate: Activation = ACTIVATIONS["tanh"]
    output: Activation = ACTIVATIONS["tanh"]
    gates: ClassVar[tuple[str, ...]] = ("f", "i", "c", "o")
    state = ("h", "c")

    def forward(self, p: Weights, x: Array, state: State) -> tuple[State, Any]:
        """Computes equations (1) to (7)."""
        h, c = state["h"], state["c"]
        z = np.concatenate([h, x], axis=1)  # (1)
        f = sigmoid(z @ p["W_f"] + p["b_f"])  # (2)
        i = sigmoid(z @ p["W_i"] + p["b_i"])  # (3)
        a_c = z @ p["W_c"] + p["b_c"]
        g = self.candidate.value(a_c)  # (4)
        o = sigmoid(z @ p["W_o"] + p["b_o"])  # (5)
        c_next = f * c + i * g  # (6)
        h_next = o * self.output.value(c_next)  # (7)
        return {"h": h_next, "c": c_next}, (z, c, f, i, a_c, g, o, c_next)

    def backward(self, p: Weights, cache: Any, dstate: State) -> tuple[Array, State, Weights]:
        """Differentiates each equation, from (7) to (1)."""
        z, c, f, i, a_c, g, o, c_next = cache
        dh_next, dc_next = dstate["h"], dstate["c"]
        # (7) h' = o * tanh(c'); c' is used here and in the next step
        do = dh_next * self.output.value(c_next)
        dc_next = dc_next + dh_next * o * self.output.slope(c_next)
        # (6) c' = f * c + i * g
        df, dc = dc_next * c, dc_next * f
        di, dg = dc_next * g, dc_next * i
        # (5) to (2) the gates; the derivative of the sigmoid is s * (1 - s)
        da_o = do * o * (1 - o)
        da_c = dg * self.candidate.slope(a_c)
        da_i = di * i * (1 - i)
        da_f = df * f * (1 - f)
        grads = {"W_f": z.T @ da_f, "W_i": z.T @ da_i, "W_c": z.T @ da_c, "W_o": z.T @ da_o}
        grads |= {"b_f": da_f.sum(axis=0), "b_i": da_i.sum(axis=0), "b_c": da_c.sum(axis=0), "b_o": da_o.sum(axis=0)}
        # (1) z = [h, x] is read by all four
        dz = da_f @ p["W_f"].T + da_i @ p["W_i"].T + da_c @ p["W_c"].T + da_o @ p["W_o"].T
        H = c.shape[1]
        return dz[:, H:], {"h": dz[:, :H], "c": dc}, grads
