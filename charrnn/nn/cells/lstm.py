"""Long short-term memory (Hochreiter and Schmidhuber 1997), with the forget gate of Gers et al. 2000.

    (1) a = x @ W_x + h @ W_h + b                     its blocks a_i, a_f, a_g, a_o
    (2) i, f, o = sigmoid(a_i), sigmoid(a_f), sigmoid(a_o);  g = tanh(a_g)
    (3) c' = f * c + i * g
    (4) h' = o * tanh(c')

The backward pass is derived line by line in `docs/lstm-backward.md`.
"""

from __future__ import annotations

import numpy as np

from charrnn.arrays import Array
from charrnn.nn.cells.base import Cell
from charrnn.nn.numerics import (
    SIGMOID,
    TANH,
    scaled_sigmoid_,
    sigmoid_derivative,
    tanh,
    tanh_derivative,
    tanh_from_sigmoid_,
)
from charrnn.nn.parameters import LayerParams
from charrnn.nn.tape import LayerState, Tape


class LSTM(Cell):
    gates = {"i": SIGMOID, "f": SIGMOID, "g": TANH, "o": SIGMOID}
    parts = ("ifg", "o")
    state = ("h", "c")
    saved = ("tanh_c",)
    partials = {"dc_da_ifg": 3, "dh_da_o": 1, "dh_dc": 1}

    def init_bias(self, b: Array, hidden_size: int, forget_bias: float) -> None:
        """Adds to the forget gate's bias: a positive one opens it, and gradients reach far (Jozefowicz et al. 2015)."""
        b[hidden_size : 2 * hidden_size] += forget_bias

    def step(self, params: LayerParams, tape: Tape, t: int) -> None:
        c, c_next = tape.rows["c"][t], tape.rows["c"][t + 1]
        tanh_c, h_next = tape.rows["tanh_c"][t], tape.rows["h"][t + 1]
        i, f, g, o = tape.gates[t]
        # (1) a = x @ W_x + h @ W_h + b
        a = tape.add_state_product(t)
        # (2) i, f, o = sigmoid(a_i), sigmoid(a_f), sigmoid(a_o);  g = tanh(a_g)
        scaled_sigmoid_(a)
        tanh_from_sigmoid_(g)
        tape.noise.drop_candidate(t, g)
        # (3) c' = f * c + i * g
        np.multiply(f, c, c_next)
        np.multiply(i, g, tape.u)
        np.add(c_next, tape.u, c_next)
        # (4) h' = o * tanh(c')
        tanh(c_next, tanh_c)
        np.multiply(o, tanh_c, h_next)

    def step_backward(self, params: LayerParams, tape: Tape, t: int, dstate: LayerState) -> None:
        dh, dc, u = dstate["h"], dstate["c"], tape.u
        _, f, _, _ = tape.gates[t]
        dc_da_ifg, dh_da_o, dh_dc = tape.partials[t]
        da_ifg, da_o = tape.da_parts[t]
        # (4, 2) h' = o * tanh(c')
        np.multiply(dh, dh_da_o, da_o)
        np.multiply(dh, dh_dc, u)
        np.add(dc, u, dc)
        # (3, 2) c' = f * c + i * g
        np.multiply(dc, dc_da_ifg, da_ifg)
        np.multiply(dc, f, dc)
        # (1) a = x @ W_x + h @ W_h + b
        tape.backward_state_product(t, dh)

    def partial_derivatives(self, params: LayerParams, tape: Tape, steps: slice) -> None:
        i, f, g, o = tape.gates_of(steps)
        c, tanh_c = tape.state["c"][steps], tape.saved["tanh_c"][steps]
        dc_da_ifg, dh_da_o, dh_dc = tape.partials_of(steps)
        dc_da_i, dc_da_f, dc_da_g = dc_da_ifg
        # (4) h' = o * tanh(c')
        sigmoid_derivative(o, dh_da_o)
        np.multiply(dh_da_o, tanh_c, dh_da_o)
        tanh_derivative(tanh_c, dh_dc)
        np.multiply(dh_dc, o, dh_dc)
        # (3) c' = f * c + i * g
        sigmoid_derivative(f, dc_da_f)
        np.multiply(dc_da_f, c, dc_da_f)
        sigmoid_derivative(i, dc_da_i)
        np.multiply(dc_da_i, g, dc_da_i)
        tape.noise.candidate_derivative(steps, g, dc_da_g)
        np.multiply(dc_da_g, i, dc_da_g)
