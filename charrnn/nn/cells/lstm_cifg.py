"""The LSTM with coupled gates, CIFG (Greff et al. 2015, arXiv 1503.04069): it forgets as much as it takes in.

    (1) a = x @ W_x + h @ W_h + b                     its blocks a_i, a_g, a_o
    (2) i, o = sigmoid(a_i), sigmoid(a_o);  g = tanh(a_g)
    (3) c' = (1 - i) * c + i * g
    (4) h' = o * tanh(c')

So c is a mean of candidates, and without dropout within -1 and 1: that is why this cell bears a higher learning
rate than `lstm`.
"""

from __future__ import annotations

import numpy as np

from charrnn.arrays import Array
from charrnn.nn.cells.base import Cell
from charrnn.nn.numerics import (
    SIGMOID,
    TANH,
    interpolate,
    scaled_sigmoid_,
    sigmoid_derivative,
    tanh,
    tanh_derivative,
    tanh_from_sigmoid_,
)
from charrnn.nn.parameters import LayerParams
from charrnn.nn.tape import LayerState, Tape


class CIFG(Cell):
    gates = {"i": SIGMOID, "g": TANH, "o": SIGMOID}
    parts = ("ig", "o")
    state = ("h", "c")
    saved = ("tanh_c",)
    partials = {"dc_da_ig": 2, "dh_da_o": 1, "dh_dc": 1}

    def init_bias(self, b: Array, hidden_size: int, forget_bias: float) -> None:
        """Subtracts from the input gate's bias: as f = 1 - i, that opens the forget gate as far as the LSTM's."""
        b[:hidden_size] -= forget_bias

    def step(self, params: LayerParams, tape: Tape, t: int) -> None:
        c, c_next = tape.rows["c"][t], tape.rows["c"][t + 1]
        tanh_c, h_next = tape.rows["tanh_c"][t], tape.rows["h"][t + 1]
        i, g, o = tape.gates[t]
        # (1) a = x @ W_x + h @ W_h + b
        a = tape.add_state_product(t)
        # (2) i, o = sigmoid(a_i), sigmoid(a_o);  g = tanh(a_g)
        scaled_sigmoid_(a)
        tanh_from_sigmoid_(g)
        tape.noise.drop_candidate(t, g)
        # (3) c' = (1 - i) * c + i * g
        interpolate(c, g, i, c_next, tape.u)
        # (4) h' = o * tanh(c')
        tanh(c_next, tanh_c)
        np.multiply(o, tanh_c, h_next)

    def step_backward(self, params: LayerParams, tape: Tape, t: int, dstate: LayerState) -> None:
        dh, dc, u = dstate["h"], dstate["c"], tape.u
        i, _, _ = tape.gates[t]
        dc_da_ig, dh_da_o, dh_dc = tape.partials[t]
        da_ig, da_o = tape.da_parts[t]
        # (4, 2) h' = o * tanh(c')
        np.multiply(dh, dh_da_o, da_o)
        np.multiply(dh, dh_dc, u)
        np.add(dc, u, dc)
        # (3, 2) c' = (1 - i) * c + i * g
        np.multiply(dc, dc_da_ig, da_ig)
        np.multiply(dc, i, u)
        np.subtract(dc, u, dc)
        # (1) a = x @ W_x + h @ W_h + b
        tape.backward_state_product(t, dh)

    def partial_derivatives(self, params: LayerParams, tape: Tape, steps: slice) -> None:
        i, g, o = tape.gates_of(steps)
        c, tanh_c = tape.state["c"][steps], tape.saved["tanh_c"][steps]
        dc_da_ig, dh_da_o, dh_dc = tape.partials_of(steps)
        dc_da_i, dc_da_g = dc_da_ig
        # (4) h' = o * tanh(c')
        sigmoid_derivative(o, dh_da_o)
        np.multiply(dh_da_o, tanh_c, dh_da_o)
        tanh_derivative(tanh_c, dh_dc)
        np.multiply(dh_dc, o, dh_dc)
        # (3) c' = (1 - i) * c + i * g
        sigmoid_derivative(i, dc_da_i)
        np.subtract(g, c, dc_da_g)
        np.multiply(dc_da_i, dc_da_g, dc_da_i)
        tape.noise.candidate_derivative(steps, g, dc_da_g)
        np.multiply(dc_da_g, i, dc_da_g)
