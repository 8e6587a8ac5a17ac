"""The gated recurrent unit as Cho et al. 2014 (arXiv 1406.1078) have it, with the reset gate before the product.

    (1) r = sigmoid(x @ W_xr + h @ W_hr + b_r)
    (2) z = sigmoid(x @ W_xz + h @ W_hz + b_z)
    (3) n = tanh(x @ W_xn + (r * h) @ W_hn + b_n)
    (4) h' = (1 - z) * n + z * h

The second product cannot begin before r is known, so a step takes two products, one after the other; `gru` resets
after the product and takes one.
"""

from __future__ import annotations

import numpy as np

from charrnn.nn.cells.base import SIGMOID, TANH, Cell, LayerParams, Tape
from charrnn.nn.numerics import logistic_, tanh_from_logistic_


class GRUResetBefore(Cell):
    gates = ("r", "z", "n")
    scale = (SIGMOID, SIGMOID, TANH)
    saved = ("rh",)
    local = ("r", "z", "n")
    adds_product = False

    def step(self, params: LayerParams, tape: Tape, t: int) -> None:
        h, h_next, rh, u = tape.rows["h"][t], tape.rows["h"][t + 1], tape.rows["rh"][t], tape.u
        r, z, n = tape.gates[t]
        share = tape.share[t]
        # (1, 2) r, z = sigmoid(...)
        np.matmul(h, tape.W_h_of[0], out=r)
        np.matmul(h, tape.W_h_of[1], out=z)
        np.add(tape.blocks[t][:2], share[:2], tape.blocks[t][:2])
        logistic_(tape.blocks[t][:2])
        # (3) n = tanh(x @ W_xn + (r * h) @ W_hn + b_n)
        np.multiply(r, h, rh)
        np.matmul(rh, tape.W_h_of[2], out=n)
        np.add(n, share[2], n)
        logistic_(n)
        tanh_from_logistic_(n)
        tape.drop_candidate(t, n)
        # (4) h' = (1 - z) * n + z * h = n + z * (h - n)
        np.subtract(h, n, u)
        np.multiply(u, z, u)
        np.add(n, u, h_next)

    def local_derivatives(self, params: LayerParams, tape: Tape, steps: slice) -> None:
        r, z, n = tape.a[steps].swapaxes(0, 1)
        h = tape.state["h"][steps]
        d_r, d_z, d_n = tape.local[: len(h)].swapaxes(0, 1)
        # (4, 2) on the way from dh' to a_z:  (h - n) * z * (1 - z)
        np.subtract(1, z, d_n)  # 1 - z, for now
        np.subtract(h, n, d_z)
        np.multiply(d_z, z, d_z)
        np.multiply(d_z, d_n, d_z)
        # (4, 3) to a_n:  (1 - z) * tanh'
        tape.candidate_derivative(steps, n, d_r)
        np.multiply(d_n, d_r, d_n)
        # (3, 1) from the gradient of r * h to a_r:  h * r * (1 - r)
        np.subtract(1, r, d_r)
        np.multiply(d_r, r, d_r)
        np.multiply(d_r, h, d_r)

    def step_backward(self, params: LayerParams, tape: Tape, t: int, dstate: LayerParams) -> None:
        H, dh, u, v = tape.hidden_size, dstate["h"], tape.u, tape.v
        r, z, _ = tape.gates[t]
        d_r, d_z, d_n = tape.local_blocks[t % tape.chunk]
        da_r, da_z, da_n = tape.da_blocks[t]
        # (4) h' = (1 - z) * n + z * h
        np.multiply(dh, d_z, da_z)
        np.multiply(dh, d_n, da_n)
        np.multiply(dh, z, v)
        # (3) n = tanh(... + (r * h) @ W_hn)
        np.matmul(da_n, tape.W_hT[2 * H :], out=u)
        np.multiply(u, d_r, da_r)
        np.multiply(u, r, u)
        np.add(v, u, v)
        # (1, 2) the two other products with W_h
        np.matmul(tape.da[t, :, : 2 * H], tape.W_hT[: 2 * H], out=dh)
        np.add(dh, v, dh)

    def param_grads(self, params: LayerParams, tape: Tape, grads: LayerParams) -> None:
        H = tape.hidden_size
        h = tape.state["h"][:-1]
        for gate, left in enumerate((h, h, tape.saved["rh"])):  # what meets W_hr, W_hz and W_hn
            columns = slice(gate * H, (gate + 1) * H)
            da = tape.da.reshape(-1, tape.da.shape[2])[:, columns]
            np.matmul(left.reshape(-1, H).T, da, out=grads["W"][:H, columns])
