"""The gated recurrent unit (Cho et al. 2014) with the reset gate after the product, as in cuDNN and PyTorch.

    (1) r = sigmoid(x @ W_xr + h @ W_hr + b_r)
    (2) z = sigmoid(x @ W_xz + h @ W_hz + b_z)
    (3) p = h @ W_hn + b_hn
    (4) n = tanh(x @ W_xn + b_n + r * p)
    (5) h' = (1 - z) * n + z * h

Cho et al. reset h itself, before the product; resetting p instead leaves one product with W_h for all three gates.
"""

from __future__ import annotations

import numpy as np

from charrnn.nn.cells.base import SIGMOID, TANH, Cell, LayerParams, Tape
from charrnn.nn.numerics import logistic_, tanh_from_logistic_


class GRU(Cell):
    gates = ("r", "z", "n")
    scale = (SIGMOID, SIGMOID, TANH)
    vectors = ("b_hn",)
    saved = ("p",)
    local = ("r", "z", "p", "n")
    splits_product = True
    adds_product = False

    def step(self, params: LayerParams, tape: Tape, t: int) -> None:
        h, h_next, p, u = tape.rows["h"][t], tape.rows["h"][t + 1], tape.rows["p"][t], tape.u
        r, z, n = tape.gates[t]
        a, share = tape.multiply_state(t), tape.share[t]
        # (3) p = h @ W_hn + b_hn; the product comes times TANH
        np.divide(n, TANH, p)
        np.add(p, params["b_hn"], p)
        # (1, 2) r, z = sigmoid(...)
        np.add(a[:2], share[:2], a[:2])
        logistic_(a[:2])
        # (4) n = tanh(x @ W_xn + b_n + r * p)
        np.multiply(r, p, u)
        np.multiply(u, TANH, u)
        np.add(share[2], u, n)
        logistic_(n)
        tanh_from_logistic_(n)
        tape.drop_candidate(t, n)
        # (5) h' = (1 - z) * n + z * h = n + z * (h - n)
        np.subtract(h, n, u)
        np.multiply(u, z, u)
        np.add(n, u, h_next)

    def local_derivatives(self, params: LayerParams, tape: Tape, steps: slice) -> None:
        r, z, n = tape.a[steps].swapaxes(0, 1)
        h, p = tape.state["h"][steps], tape.saved["p"][steps]
        d_r, d_z, d_p, d_n = tape.local[: len(h)].swapaxes(0, 1)
        # (5, 2) on the way from dh' to a_z:  (h - n) * z * (1 - z)
        np.subtract(1, z, d_n)  # 1 - z, for now
        np.subtract(h, n, d_z)
        np.multiply(d_z, z, d_z)
        np.multiply(d_z, d_n, d_z)
        # (5, 4) to a_n:  (1 - z) * tanh'
        tape.candidate_derivative(steps, n, d_p)
        np.multiply(d_n, d_p, d_n)
        # (4) from a_n to p:  r
        np.multiply(d_n, r, d_p)
        # (4, 1) from a_n to a_r:  p * r * (1 - r)
        np.subtract(1, r, d_r)
        np.multiply(d_r, d_p, d_r)
        np.multiply(d_r, p, d_r)

    def step_backward(self, params: LayerParams, tape: Tape, t: int, dstate: LayerParams) -> None:
        dh, u = dstate["h"], tape.u
        d = tape.local_blocks[t % tape.chunk]
        # (5, 4, 3, 2, 1) all paths begin at dh'; the product's gradient has p where that of a has n
        np.multiply(dh, d[:3], tape.dp_blocks[t])
        np.multiply(dh, d[3], tape.da_blocks[t][2])
        # (5) h' = ... + z * h,  and the three products with W_h
        np.multiply(dh, tape.gates[t][1], u)
        tape.backward_state_product(t, dh)
        np.add(dh, u, dh)

    def param_grads(self, params: LayerParams, tape: Tape, grads: LayerParams) -> None:
        super().param_grads(params, tape, grads)
        H = tape.hidden_size
        np.copyto(tape.da[:, :, : 2 * H], tape.dp[:, :, : 2 * H])  # for r and z the two gradients are one
        np.sum(tape.dp[:, :, 2 * H :], axis=(0, 1), out=grads["b_hn"])
