"""The minimal gated unit (Zhou et al. 2016, arXiv 1603.09420): one gate, which forgets and resets.

(1) f = sigmoid(x @ W_xf + h @ W_hf + b_f)
(2) n = tanh(x @ W_xn + (f * h) @ W_hn + b_n)
(3) h' = (1 - f) * h + f * n
"""

from __future__ import annotations

import numpy as np

from charrnn.nn.cells.base import SIGMOID, TANH, Cell, LayerParams, Tape
from charrnn.nn.numerics import logistic_, tanh_from_logistic_


class MGU(Cell):
    gates = ("f", "n")
    scale = (SIGMOID, TANH)
    saved = ("fh",)
    local = ("f", "fh", "n")
    adds_product = False

    def step(self, params: LayerParams, tape: Tape, t: int) -> None:
        h, h_next, fh, u = tape.rows["h"][t], tape.rows["h"][t + 1], tape.rows["fh"][t], tape.u
        f, n = tape.gates[t]
        # (1) f = sigmoid(x @ W_xf + h @ W_hf + b_f)
        np.matmul(h, tape.W_h_of[0], out=f)
        np.add(f, tape.share[t][0], f)
        logistic_(f)
        # (2) n = tanh(x @ W_xn + (f * h) @ W_hn + b_n)
        np.multiply(f, h, fh)
        np.matmul(fh, tape.W_h_of[1], out=n)
        np.add(n, tape.share[t][1], n)
        logistic_(n)
        tanh_from_logistic_(n)
        tape.drop_candidate(t, n)
        # (3) h' = (1 - f) * h + f * n = h + f * (n - h)
        np.subtract(n, h, u)
        np.multiply(u, f, u)
        np.add(h, u, h_next)

    def local_derivatives(self, params: LayerParams, tape: Tape, steps: slice) -> None:
        f, n = tape.a[steps].swapaxes(0, 1)
        h = tape.state["h"][steps]
        d_f, d_fh, d_n = tape.local[: len(h)].swapaxes(0, 1)
        # (3, 2) on the way from dh' to a_n:  f * tanh'
        tape.candidate_derivative(steps, n, d_n)
        np.multiply(d_n, f, d_n)
        # (3, 1) from dh' to a_f:  (n - h) * f * (1 - f);  (2, 1) from the gradient of f * h:  h * f * (1 - f)
        np.subtract(1, f, d_f)
        np.multiply(d_f, f, d_f)
        np.multiply(d_f, h, d_fh)
        np.multiply(d_f, n, d_f)
        np.subtract(d_f, d_fh, d_f)

    def step_backward(self, params: LayerParams, tape: Tape, t: int, dstate: LayerParams) -> None:
        H, dh, u, v = tape.hidden_size, dstate["h"], tape.u, tape.v
        f = tape.gates[t][0]
        d_f, d_fh, d_n = tape.local_blocks[t % tape.chunk]
        da_f, da_n = tape.da_blocks[t]
        # (3) h' = (1 - f) * h + f * n
        np.multiply(dh, d_n, da_n)
        np.multiply(dh, d_f, da_f)
        np.multiply(dh, f, u)
        np.subtract(dh, u, v)
        # (2) n = tanh(... + (f * h) @ W_hn)
        np.matmul(da_n, tape.W_hT[H:], out=u)
        np.multiply(u, d_fh, dh)
        np.add(da_f, dh, da_f)
        np.multiply(u, f, u)
        np.add(v, u, v)
        # (1) f = sigmoid(... + h @ W_hf)
        np.matmul(da_f, tape.W_hT[:H], out=dh)
        np.add(dh, v, dh)

    def param_grads(self, params: LayerParams, tape: Tape, grads: LayerParams) -> None:
        H = tape.hidden_size
        for gate, left in enumerate((tape.state["h"][:-1], tape.saved["fh"])):  # what meets W_hf, and what meets W_hn
            columns = slice(gate * H, (gate + 1) * H)
            da = tape.da.reshape(-1, tape.da.shape[2])[:, columns]
            np.matmul(left.reshape(-1, H).T, da, out=grads["W"][:H, columns])
