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

from charrnn.nn.cells.gru_base import GRUBase
from charrnn.nn.numerics import TANH
from charrnn.nn.parameters import LayerParams
from charrnn.nn.tape import LayerState, Tape


class GRU(GRUBase):
    vectors = ("b_hn",)
    state_biases = {"b_hn": "n"}
    saved = ("p",)
    partials = {"dh_dhW": 3, "dh_da_n": 1}
    product = "gated"

    def step(self, params: LayerParams, tape: Tape, t: int) -> None:
        p, u = tape.rows["p"][t], tape.u
        r, _, n = tape.gates[t]
        _, xW_n = tape.xW_parts[t]
        # (3) p = h @ W_hn + b_hn
        tape.multiply_state(t)
        np.divide(n, TANH, p)  # the product comes scaled
        np.add(p, params["b_hn"], p)
        # (1, 2) r, z = sigmoid(x @ W_x + h @ W_h + b)
        self.reset_and_update_gates(tape, t)
        # (4) n = tanh(x @ W_xn + b_n + r * p)
        np.multiply(r, p, u)
        np.multiply(u, TANH, u)
        np.add(xW_n, u, n)
        # (4, 5) h' = (1 - z) * n + z * h
        self.next_state(tape, t)

    def step_backward(self, params: LayerParams, tape: Tape, t: int, dstate: LayerState) -> None:
        dh, u = dstate["h"], tape.u
        _, z, _ = tape.gates[t]
        dh_dhW, dh_da_n = tape.partials[t]
        dhW = tape.dhW_blocks[t]
        _, _, da_n = tape.da_gates[t]  # da_r and da_z are the same as in dhW: `param_grads` copies those of all steps
        # (5, 4) h' = (1 - z) * n + z * h
        np.multiply(dh, dh_da_n, da_n)
        np.multiply(dh, dh_dhW, dhW)
        np.multiply(dh, z, dh)
        # (3, 2, 1) hW = h @ W_h, whose blocks are added to a_r and to a_z, and are p but for its bias
        tape.backward_state_product(t, u)
        np.add(dh, u, dh)

    def partial_derivatives(self, params: LayerParams, tape: Tape, steps: slice) -> None:
        r, _, _ = tape.gates_of(steps)
        p = tape.saved["p"][steps]
        (dh_da_r, dh_da_z, dh_dp), dh_da_n = tape.partials_of(steps)
        # (5) h' = (1 - z) * n + z * h
        self.next_state_partials(tape, steps, dh_da_z, dh_da_n, dh_da_r)
        # (4) n = tanh(x @ W_xn + b_n + r * p)
        np.multiply(dh_da_n, r, dh_dp)
        # (4, 1) r = sigmoid(a_r):  dh_da_n * p * r * (1 - r)
        np.subtract(1, r, dh_da_r)
        np.multiply(dh_da_r, dh_dp, dh_da_r)
        np.multiply(dh_da_r, p, dh_da_r)

    def param_grads(self, params: LayerParams, tape: Tape, grads: LayerParams) -> None:
        super().param_grads(params, tape, grads)
        dhW_rz, dp = tape.by_part(tape.dhW)
        da_rz, _ = tape.by_part(tape.da)
        # (3) p = h @ W_hn + b_hn
        np.sum(dp, axis=(0, 1), out=grads["b_hn"])
        # (2, 1) the product is added: its gradient is that of the sum
        np.copyto(da_rz, dhW_rz)
