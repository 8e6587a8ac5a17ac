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

from charrnn.nn import numerics
from charrnn.nn.cells.base import Cell, LayerParams, Tape


class GRU(Cell):
    gates = ("r", "z", "n")
    vectors = ("b_hn",)
    saved = ("p",)
    splits_product = True

    def step(self, params: LayerParams, tape: Tape, t: int) -> None:
        h, p, u = tape.state["h"], tape.saved["p"][t], tape.u
        product = tape.multiply_state(t)
        a = tape.a[:, t]
        r, z, n = a
        # (1, 2) r, z = sigmoid(...)
        np.add(a[:2], product[:2], out=a[:2])
        numerics.sigmoid_(a[:2])
        # (3) p = h @ W_hn + b_hn
        np.add(product[2], params["b_hn"], out=p)
        # (4) n = tanh(x @ W_xn + b_n + r * p)
        np.multiply(r, p, out=u)
        np.add(n, u, out=n)
        numerics.tanh(n, out=n)
        # (5) h' = (1 - z) * n + z * h = n + z * (h - n)
        np.subtract(h[t], n, out=u)
        np.multiply(u, z, out=u)
        np.add(n, u, out=h[t + 1])

    def step_backward(self, params: LayerParams, tape: Tape, t: int, dstate: LayerParams) -> None:
        H, u, v = tape.hidden_size, tape.u, tape.v
        r, z, n = tape.a[:, t]
        h, p = tape.state["h"][t], tape.saved["p"][t]
        dh, da, dp = dstate["h"], tape.da[t], tape.dp[t]
        da_r, da_z, da_n = (da[:, k * H : (k + 1) * H] for k in range(3))
        # (5) dz = dh * (h - n), through sigmoid' = z * (1 - z)
        np.subtract(1, z, out=v)  # v = 1 - z
        np.subtract(h, n, out=u)
        np.multiply(u, z, out=u)
        np.multiply(u, v, out=u)
        np.multiply(u, dh, out=da_z)
        # (5, 4) dn = dh * (1 - z), through tanh' = 1 - n^2
        np.multiply(n, n, out=u)
        np.subtract(1, u, out=u)
        np.multiply(u, v, out=u)
        np.multiply(u, dh, out=u)  # u = da_n
        np.copyto(da_n, u)
        # (4) dr = da_n * p through sigmoid', and the gradient of p = h @ W_hn + b_hn
        np.subtract(1, r, out=v)
        np.multiply(v, r, out=v)
        np.multiply(v, p, out=v)
        np.multiply(v, u, out=da_r)
        np.multiply(u, r, out=dp[:, 2 * H :])
        np.copyto(dp[:, : 2 * H], da[:, : 2 * H])
        # (5) h' = ... + z * h,  and (1, 2, 3) the three products with W_h
        np.multiply(dh, z, out=u)
        tape.backward_state_product(t, dh)
        np.add(dh, u, out=dh)

    def param_grads(self, params: LayerParams, tape: Tape, grads: LayerParams) -> None:
        super().param_grads(params, tape, grads)
        np.sum(tape.dp[:, :, 2 * tape.hidden_size :], axis=(0, 1), out=grads["b_hn"])
