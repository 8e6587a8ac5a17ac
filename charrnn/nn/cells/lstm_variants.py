"""The variants of the LSTM of Greff et al. 2015 (arXiv 1503.04069): each takes away or adds one thing.

Theirs all have peepholes; each of these differs from `lstm`, which has none.

    (1) a = x @ W_x + h @ W_h + b                     its blocks a_i, a_f, a_g, a_o, but for gates that are missing
        a_i, a_f += p_i * c, p_f * c                  peepholes (Gers and Schmidhuber 2000)
        a_i, a_f, a_o += [i, f, o] @ R                full gate recurrence: all gates feed all gates, a step later
    (2) i, f, o = sigmoid(a_i), sigmoid(a_f), sigmoid(a_o);  g = tanh(a_g)
        i = 1, f = 1 or o = 1                         no such gate
        g = a_g                                       no input activation
    (3) c' = f * c + i * g
        a_o += p_o * c'                               peepholes, before o is taken
    (4) h' = o * tanh(c')
        h' = o * c'                                   no output activation

Written for the reader and not for the clock: `lstm.py` is the fast one, and equal to what this file computes with all
switches off (a test compares them). The variant whose gates are tied is in `lstm_cifg.py`.
"""

from __future__ import annotations

import numpy as np

from charrnn.arrays import Array
from charrnn.nn.cells.base import Cell
from charrnn.nn.numerics import AS_IT_IS, SIGMOID, TANH, scaled_sigmoid_, scaled_tanh_, tanh, tanh_derivative
from charrnn.nn.parameters import LayerParams
from charrnn.nn.tape import LayerState, Tape

SCALES = {"i": SIGMOID, "f": SIGMOID, "g": TANH, "o": SIGMOID}


class LSTMVariant(Cell):
    """Computes the LSTM with one thing or another changed by switches; with all of them off, the LSTM itself."""

    def __init__(
        self,
        without: str = "",
        peepholes: bool = False,
        gate_recurrence: bool = False,
        input_activation: bool = True,
        output_activation: bool = True,
    ) -> None:
        """`without` is the gate that is always 1: "i", "f" or "o"."""
        scales = SCALES if input_activation else SCALES | {"g": AS_IT_IS}
        self.gates = {gate: scale for gate, scale in scales.items() if gate != without}
        self.state = ("h", "c", "i", "f", "o") if gate_recurrence else ("h", "c")
        self.vectors = ("p_i", "p_f", "p_o") if peepholes else ()
        self.matrices = {"R": 3} if gate_recurrence else {}
        self.saved = ("k", "c'")  # k is what o is multiplied by; c' is before zoneout
        self.peepholes = peepholes
        self.gate_recurrence = gate_recurrence
        self.input_activation = input_activation
        self.output_activation = output_activation

    def init_bias(self, b: Array, hidden_size: int, forget_bias: float) -> None:
        """Opens the forget gate at first, as the LSTM does."""
        if "f" in self.gates:
            self._block(b, "f", hidden_size)[...] += forget_bias

    def _block(self, columns: Array, gate: str, hidden_size: int) -> Array:
        start = list(self.gates).index(gate) * hidden_size
        return columns[..., start : start + hidden_size]

    def _values(self, tape: Tape, t: int) -> tuple[Array, Array, Array, Array]:
        """Returns i, f, g and o of step t, each (B, H); a gate that is missing is an array of ones."""
        found = dict(zip(self.gates, tape.gates[t], strict=True))
        one = tape.ones
        return found.get("i", one), found.get("f", one), found["g"], found.get("o", one)

    def step(self, params: LayerParams, tape: Tape, t: int) -> None:
        c, c_next, h_next = tape.rows["c"][t], tape.rows["c"][t + 1], tape.rows["h"][t + 1]
        k, u = tape.rows["k"][t], tape.u
        i, f, g, o = self._values(tape, t)
        # (1) a = x @ W_x + h @ W_h + b, every block times its scale
        tape.add_state_product(t)
        if self.peepholes:
            self._add_peephole(i, params["p_i"], c, u)
            self._add_peephole(f, params["p_f"], c, u)
        if self.gate_recurrence:
            R = params["R"].reshape(3, tape.hidden_size, 3, tape.hidden_size)
            for column, gate in enumerate((i, f, o)):
                for row, name in enumerate("ifo"):
                    np.matmul(tape.rows[name][t], R[row, :, column], out=u)
                    np.multiply(u, SIGMOID, u)
                    np.add(gate, u, gate)
        # (2) the gates, but for o
        if "i" in self.gates:
            scaled_sigmoid_(i)
        if "f" in self.gates:
            scaled_sigmoid_(f)
        if self.input_activation:
            scaled_tanh_(g)
        tape.noise.drop_candidate(t, g)
        # (3) c' = f * c + i * g
        np.multiply(f, c, c_next)
        np.multiply(i, g, u)
        np.add(c_next, u, c_next)
        np.copyto(tape.rows["c'"][t], c_next)
        if self.peepholes:
            self._add_peephole(o, params["p_o"], c_next, u)
        if "o" in self.gates:
            scaled_sigmoid_(o)
        # (4) h' = o * tanh(c')
        if self.output_activation:
            tanh(c_next, k)
        else:
            np.copyto(k, c_next)
        np.multiply(o, k, h_next)
        if self.gate_recurrence:
            for name, gate in zip("ifo", (i, f, o), strict=True):
                np.copyto(tape.rows[name][t + 1], gate)

    @staticmethod
    def _add_peephole(a: Array, p: Array, c: Array, u: Array) -> None:
        np.multiply(p, c, u)
        np.multiply(u, SIGMOID, u)
        np.add(a, u, a)

    def step_backward(self, params: LayerParams, tape: Tape, t: int, dstate: LayerState) -> None:
        dh, dc, u, v = dstate["h"], dstate["c"], tape.u, tape.v
        c, k = tape.rows["c"][t], tape.rows["k"][t]
        i, f, g, o = self._values(tape, t)
        da = dict(zip(self.gates, tape.da_gates[t], strict=True))
        # (4) h' = o * tanh(c')
        if "o" in self.gates:
            np.multiply(dh, k, u)
            self._through_sigmoid(u, dstate, "o", o, da["o"])
        np.multiply(dh, o, u)
        if self.output_activation:
            tanh_derivative(k, v)
            np.multiply(u, v, u)
        np.add(dc, u, dc)
        if self.peepholes:
            np.multiply(da["o"], params["p_o"], u)
            np.add(dc, u, dc)
        # (3) c' = f * c + i * g
        if "i" in self.gates:
            np.multiply(dc, g, u)
            self._through_sigmoid(u, dstate, "i", i, da["i"])
        if "f" in self.gates:
            np.multiply(dc, c, u)
            self._through_sigmoid(u, dstate, "f", f, da["f"])
        if self.input_activation:
            tape.noise.candidate_derivative(t, g, u)
        else:
            u[...] = 1 if tape.noise.candidate_mask is None else tape.noise.candidate_mask[t]
        np.multiply(u, i, u)
        np.multiply(u, dc, da["g"])
        np.multiply(dc, f, dc)
        if self.peepholes:
            for gate in "if":
                np.multiply(da[gate], params[f"p_{gate}"], u)
                np.add(dc, u, dc)
        if self.gate_recurrence:
            R = params["R"].reshape(3, tape.hidden_size, 3, tape.hidden_size)
            for row, name in enumerate("ifo"):
                dstate[name][...] = 0
                for column, gate in enumerate("ifo"):
                    np.matmul(da[gate], R[row, :, column].T, out=u)
                    np.add(dstate[name], u, dstate[name])
        # (1) a = ... + h @ W_h
        tape.backward_state_product(t, dh)

    def _through_sigmoid(self, ds: Array, dstate: LayerState, gate: str, s: Array, da: Array) -> None:
        """Turns `ds`, the gradient of a gate's value s, into that of its pre-activation, `da` (2); `ds` is used up."""
        if self.gate_recurrence:
            np.add(ds, dstate[gate], ds)
        np.multiply(ds, s, ds)
        np.multiply(ds, s, da)
        np.subtract(ds, da, da)  # ds * s * (1 - s)

    def partial_derivatives(self, params: LayerParams, tape: Tape, steps: slice) -> None:
        return  # `step_backward` does it all

    def param_grads(self, params: LayerParams, tape: Tape, grads: LayerParams) -> None:
        super().param_grads(params, tape, grads)
        H = tape.hidden_size
        if self.peepholes:
            for gate, c in (("i", tape.state["c"][:-1]), ("f", tape.state["c"][:-1]), ("o", tape.saved["c'"])):
                np.einsum("tbh,tbh->h", self._block(tape.da, gate, H), c, out=grads[f"p_{gate}"])
        if self.gate_recurrence:
            dR = grads["R"].reshape(3, H, 3, H)
            for row, name in enumerate("ifo"):
                before = tape.state[name][:-1].reshape(-1, H)
                for column, gate in enumerate("ifo"):
                    dR[row, :, column] = before.T @ self._block(tape.da, gate, H).reshape(-1, H)
