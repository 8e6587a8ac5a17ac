"""Long short-term memory (Hochreiter and Schmidhuber 1997), with the forget gate of Gers et al. 2000.

    (1) a = x @ W_x + h @ W_h + b                     its blocks a_i, a_f, a_g, a_o
    (2) i, f, o = sigmoid(a_i), sigmoid(a_f), sigmoid(a_o);  g = tanh(a_g)
    (3) c' = f * c + i * g
    (4) h' = o * tanh(c')

The backward pass is derived line by line in `docs/lstm-backward.md`.
"""

from __future__ import annotations

import numpy as np

from charrnn.nn import numerics
from charrnn.nn.cells.base import Cell, LayerParams, Tape
from charrnn.nn.numerics import Array


class LSTM(Cell):
    gates = ("i", "f", "g", "o")
    state = ("h", "c")
    saved = ("tanh_c",)

    def init_bias(self, b: Array, hidden_size: int, forget_bias: float) -> None:
        """A positive forget bias opens the gate at first, so that gradients reach far (Jozefowicz et al. 2015)."""
        b[hidden_size : 2 * hidden_size] = forget_bias

    def step(self, params: LayerParams, tape: Tape, t: int) -> None:
        h, c, tanh_c = tape.state["h"], tape.state["c"], tape.saved["tanh_c"][t]
        # (1) a = x @ W_x + h @ W_h + b
        a = tape.add_state_product(t)
        i, f, g, o = a
        # (2) the four at once, since tanh(a) = 2 sigmoid(2a) - 1
        np.multiply(g, 2, out=g)
        numerics.sigmoid_(a)
        np.multiply(g, 2, out=g)
        np.subtract(g, 1, out=g)
        # (3) c' = f * c + i * g
        np.multiply(f, c[t], out=c[t + 1])
        np.multiply(i, g, out=tape.u)
        np.add(c[t + 1], tape.u, out=c[t + 1])
        # (4) h' = o * tanh(c')
        numerics.tanh(c[t + 1], out=tanh_c)
        np.multiply(o, tanh_c, out=h[t + 1])

    def step_backward(self, params: LayerParams, tape: Tape, t: int, dstate: LayerParams) -> None:
        H, u = tape.hidden_size, tape.u
        i, f, g, o = tape.a[:, t]
        c, tanh_c = tape.state["c"][t], tape.saved["tanh_c"][t]
        dh, dc, da = dstate["h"], dstate["c"], tape.da[t]
        da_i, da_f, da_g, da_o = (da[:, k * H : (k + 1) * H] for k in range(4))
        # (4) h' = o * tanh(c'):  do = dh * tanh(c'),  dc' += dh * o * (1 - tanh(c')^2)
        np.multiply(tanh_c, tanh_c, out=u)
        np.subtract(1, u, out=u)
        np.multiply(u, o, out=u)
        np.multiply(u, dh, out=u)
        np.add(dc, u, out=dc)
        # (3, 2) from dc' to the gates, through sigmoid' = s * (1 - s) and tanh' = 1 - g^2
        np.subtract(1, o, out=u)
        np.multiply(u, o, out=u)
        np.multiply(u, tanh_c, out=u)
        np.multiply(u, dh, out=da_o)  # da_o = dh * tanh(c') * o * (1 - o)
        np.multiply(g, g, out=u)
        np.subtract(1, u, out=u)
        np.multiply(u, i, out=u)
        np.multiply(u, dc, out=da_g)  # da_g = dc' * i * (1 - g^2)
        np.subtract(1, f, out=u)
        np.multiply(u, f, out=u)
        np.multiply(u, c, out=u)
        np.multiply(u, dc, out=da_f)  # da_f = dc' * c * f * (1 - f)
        np.subtract(1, i, out=u)
        np.multiply(u, i, out=u)
        np.multiply(u, g, out=u)
        np.multiply(u, dc, out=da_i)  # da_i = dc' * g * i * (1 - i)
        # (3) c' = f * c + ...
        np.multiply(dc, f, out=dc)
        # (1) a = ... + h @ W_h
        tape.backward_state_product(t, dh)
