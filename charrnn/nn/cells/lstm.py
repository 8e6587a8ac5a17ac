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
from charrnn.nn.cells.base import SIGMOID, TANH, Cell, LayerParams, Tape
from charrnn.nn.numerics import logistic_, tanh, tanh_from_logistic_


class LSTM(Cell):
    gates = ("i", "f", "g", "o")
    scale = (SIGMOID, SIGMOID, TANH, SIGMOID)
    state = ("h", "c")
    saved = ("tanh_c",)
    local = ("i", "f", "g", "o", "c")

    def init_bias(self, b: Array, hidden_size: int, forget_bias: float) -> None:
        """A positive forget bias opens the gate at first, so that gradients reach far (Jozefowicz et al. 2015)."""
        b[hidden_size : 2 * hidden_size] = forget_bias

    def step(self, params: LayerParams, tape: Tape, t: int) -> None:
        c, c_next = tape.rows["c"][t], tape.rows["c"][t + 1]
        tanh_c, h_next = tape.rows["tanh_c"][t], tape.rows["h"][t + 1]
        i, f, g, o = tape.gates[t]
        # (1) a = x @ W_x + h @ W_h + b
        a = tape.add_state_product(t)
        # (2) i, f, o = sigmoid(a_i), sigmoid(a_f), sigmoid(a_o);  g = tanh(a_g)
        logistic_(a)
        tanh_from_logistic_(g)
        tape.drop_candidate(t, g)
        # (3) c' = f * c + i * g
        np.multiply(f, c, c_next)
        np.multiply(i, g, tape.u)
        np.add(c_next, tape.u, c_next)
        # (4) h' = o * tanh(c')
        tanh(c_next, tanh_c)
        np.multiply(o, tanh_c, h_next)

    def local_derivatives(self, params: LayerParams, tape: Tape, steps: slice) -> None:
        a = tape.a[steps]
        i, _, g, o = a.swapaxes(0, 1)
        c, tanh_c = tape.state["c"][steps], tape.saved["tanh_c"][steps]
        d = tape.local[: len(a)]
        d_i, d_f, d_g, d_o, d_c = d.swapaxes(0, 1)
        # (2) sigmoid' = s * (1 - s), for all four blocks; that of g is made anew below
        np.subtract(1, a, d[:, :4])
        np.multiply(d[:, :4], a, d[:, :4])
        # (3) what dc' is multiplied by on its way to a_i, a_f, a_g:  g * i', c * f', i * g'
        np.multiply(d_i, g, d_i)
        np.multiply(d_f, c, d_f)
        tape.candidate_derivative(steps, g, d_g)
        np.multiply(d_g, i, d_g)
        # (4) what dh' is multiplied by on its way to a_o, and to c'
        np.multiply(d_o, tanh_c, d_o)
        np.multiply(tanh_c, tanh_c, d_c)
        np.subtract(1, d_c, d_c)
        np.multiply(d_c, o, d_c)

    def step_backward(self, params: LayerParams, tape: Tape, t: int, dstate: LayerParams) -> None:
        dh, dc, u = dstate["h"], dstate["c"], tape.u
        d, da = tape.local_blocks[t % tape.chunk], tape.da_blocks[t]
        # (4) h' = o * tanh(c')
        np.multiply(dh, d[3], da[3])
        np.multiply(dh, d[4], u)
        np.add(dc, u, dc)
        # (3) c' = f * c + i * g
        np.multiply(dc, d[:3], da[:3])
        np.multiply(dc, tape.gates[t][1], dc)
        # (1) a = ... + h @ W_h
        tape.backward_state_product(t, dh)
