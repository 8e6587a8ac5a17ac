"""The minimal gated unit (Zhou et al. 2016, arXiv 1603.09420): one gate, which forgets and resets.

(1) f = sigmoid(x @ W_xf + h @ W_hf + b_f)
(2) n = tanh(x @ W_xn + (f * h) @ W_hn + b_n)
(3) h' = (1 - f) * h + f * n
"""

from __future__ import annotations

import numpy as np

from charrnn.nn.cells.base import Cell
from charrnn.nn.numerics import SIGMOID, TANH, interpolate, scaled_sigmoid_, scaled_tanh_, sigmoid_derivative
from charrnn.nn.parameters import LayerParams
from charrnn.nn.tape import LayerState, Tape, product_grads


class MGU(Cell):
    gates = {"f": SIGMOID, "n": TANH}
    saved = ("fh",)
    partials = {"dh_da_f": 1, "dfh_da_f": 1, "dh_da_n": 1}
    product = "of a gated state"

    def step(self, params: LayerParams, tape: Tape, t: int) -> None:
        h, h_next, fh = tape.rows["h"][t], tape.rows["h"][t + 1], tape.rows["fh"][t]
        f, n = tape.gates[t]
        xW_f, xW_n = tape.xW_parts[t]
        W_hf, W_hn = tape.W_h_of
        # (1) f = sigmoid(x @ W_xf + h @ W_hf + b_f)
        np.matmul(h, W_hf, f)
        np.add(f, xW_f, f)
        scaled_sigmoid_(f)
        # (2) n = tanh(x @ W_xn + (f * h) @ W_hn + b_n)
        np.multiply(f, h, fh)
        np.matmul(fh, W_hn, n)
        np.add(n, xW_n, n)
        scaled_tanh_(n)
        tape.noise.drop_candidate(t, n)
        # (3) h' = (1 - f) * h + f * n
        interpolate(h, n, f, h_next, tape.u)

    def step_backward(self, params: LayerParams, tape: Tape, t: int, dstate: LayerState) -> None:
        dh, dfh, u = dstate["h"], tape.v, tape.u
        f, _ = tape.gates[t]
        dh_da_f, dfh_da_f, dh_da_n = tape.partials[t]
        da_f, da_n = tape.da_gates[t]
        W_hfT, W_hnT = tape.W_hT_parts
        # (3) h' = (1 - f) * h + f * n
        np.multiply(dh, dh_da_f, da_f)
        np.multiply(dh, dh_da_n, da_n)
        np.multiply(dh, f, u)
        np.subtract(dh, u, dh)
        # (2) n = tanh(x @ W_xn + (f * h) @ W_hn + b_n)
        np.matmul(da_n, W_hnT, dfh)
        np.multiply(dfh, dfh_da_f, u)
        np.add(da_f, u, da_f)
        np.multiply(dfh, f, u)
        np.add(dh, u, dh)
        # (1) f = sigmoid(x @ W_xf + h @ W_hf + b_f)
        np.matmul(da_f, W_hfT, u)
        np.add(dh, u, dh)

    def partial_derivatives(self, params: LayerParams, tape: Tape, steps: slice) -> None:
        f, n = tape.gates_of(steps)
        h = tape.state["h"][steps]
        dh_da_f, dfh_da_f, dh_da_n = tape.partials_of(steps)
        # (1) f = sigmoid(a_f)
        df_da_f = dh_da_n  # the memory of another, which is written last
        sigmoid_derivative(f, df_da_f)
        # (2) f * h
        np.multiply(df_da_f, h, dfh_da_f)
        # (3) h' = (1 - f) * h + f * n
        np.subtract(n, h, dh_da_f)
        np.multiply(dh_da_f, df_da_f, dh_da_f)
        tape.noise.candidate_derivative(steps, n, dh_da_n)
        np.multiply(dh_da_n, f, dh_da_n)

    def param_grads(self, params: LayerParams, tape: Tape, grads: LayerParams) -> None:
        dW_hf, dW_hn = tape.by_part(grads["W"][: tape.hidden_size])
        da_f, da_n = tape.by_part(tape.da)
        product_grads(tape.state["h"][:-1], da_f, dW_hf)
        product_grads(tape.saved["fh"], da_n, dW_hn)
