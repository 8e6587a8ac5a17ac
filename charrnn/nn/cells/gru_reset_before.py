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

from charrnn.nn.cells.gru_base import GRUBase
from charrnn.nn.numerics import sigmoid_derivative
from charrnn.nn.parameters import LayerParams
from charrnn.nn.tape import LayerState, Tape, product_grads


class GRUResetBefore(GRUBase):
    saved = ("rh",)
    partials = {"drh_da_r": 1, "dh_da_z": 1, "dh_da_n": 1}
    product = "of a gated state"

    def step(self, params: LayerParams, tape: Tape, t: int) -> None:
        h, rh = tape.rows["h"][t], tape.rows["rh"][t]
        r, z, n = tape.gates[t]
        _, xW_n = tape.xW_parts[t]
        W_hr, W_hz, W_hn = tape.W_h_of
        # (1, 2) r, z = sigmoid(x @ W_x + h @ W_h + b)
        np.matmul(h, W_hr, r)
        np.matmul(h, W_hz, z)
        self.reset_and_update_gates(tape, t)
        # (3) n = tanh(x @ W_xn + (r * h) @ W_hn + b_n)
        np.multiply(r, h, rh)
        np.matmul(rh, W_hn, n)
        np.add(n, xW_n, n)
        # (3, 4) h' = (1 - z) * n + z * h
        self.next_state(tape, t)

    def step_backward(self, params: LayerParams, tape: Tape, t: int, dstate: LayerState) -> None:
        dh, drh, u = dstate["h"], tape.v, tape.u
        r, z, _ = tape.gates[t]
        drh_da_r, dh_da_z, dh_da_n = tape.partials[t]
        da_r, da_z, da_n = tape.da_gates[t]
        da_rz, _ = tape.da_columns[t]
        W_hrzT, W_hnT = tape.W_hT_parts
        # (4) h' = (1 - z) * n + z * h
        np.multiply(dh, dh_da_z, da_z)
        np.multiply(dh, dh_da_n, da_n)
        np.multiply(dh, z, dh)
        # (3) n = tanh(x @ W_xn + (r * h) @ W_hn + b_n)
        np.matmul(da_n, W_hnT, drh)
        np.multiply(drh, drh_da_r, da_r)
        np.multiply(drh, r, u)
        np.add(dh, u, dh)
        # (1, 2) r, z = sigmoid(x @ W_x + h @ W_h + b)
        np.matmul(da_rz, W_hrzT, u)
        np.add(dh, u, dh)

    def partial_derivatives(self, params: LayerParams, tape: Tape, steps: slice) -> None:
        r, _, _ = tape.gates_of(steps)
        h = tape.state["h"][steps]
        drh_da_r, dh_da_z, dh_da_n = tape.partials_of(steps)
        # (4) h' = (1 - z) * n + z * h
        self.next_state_partials(tape, steps, dh_da_z, dh_da_n, drh_da_r)
        # (3, 1) r * h, where r = sigmoid(a_r)
        sigmoid_derivative(r, drh_da_r)
        np.multiply(drh_da_r, h, drh_da_r)

    def param_grads(self, params: LayerParams, tape: Tape, grads: LayerParams) -> None:
        dW_hrz, dW_hn = tape.by_part(grads["W"][: tape.hidden_size])
        da_rz, da_n = tape.by_part(tape.da)
        product_grads(tape.state["h"][:-1], da_rz, dW_hrz)
        product_grads(tape.saved["rh"], da_n, dW_hn)
