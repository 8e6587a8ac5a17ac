"""What both GRUs have in common: the gates, and the last equation, `h' = (1 - z) * n + z * h`."""

from __future__ import annotations

import numpy as np

from charrnn.arrays import Array
from charrnn.nn.cells.base import Cell
from charrnn.nn.numerics import SIGMOID, TANH, interpolate, scaled_sigmoid_, scaled_tanh_
from charrnn.nn.tape import Tape


class GRUBase(Cell):
    """Computes what is the same in both GRUs: all but how the reset gate r enters the candidate n."""

    gates = {"r": SIGMOID, "z": SIGMOID, "n": TANH}
    parts = ("rz", "n")

    def reset_and_update_gates(self, tape: Tape, t: int) -> None:
        """Computes `r, z = sigmoid(x @ W_x + h @ W_h + b)` in place: before, r and z hold `h @ W_h`."""
        rz, _ = tape.a_parts[t]
        xW_rz, _ = tape.xW_parts[t]
        np.add(rz, xW_rz, rz)
        scaled_sigmoid_(rz)

    def next_state(self, tape: Tape, t: int) -> None:
        """Computes `n = tanh(a_n)` in place, where n holds a_n, and `h' = (1 - z) * n + z * h`."""
        h, h_next = tape.rows["h"][t], tape.rows["h"][t + 1]
        _, z, n = tape.gates[t]
        scaled_tanh_(n)
        tape.noise.drop_candidate(t, n)
        interpolate(n, h, z, h_next, tape.u)

    def next_state_partials(self, tape: Tape, steps: slice, dh_da_z: Array, dh_da_n: Array, scratch: Array) -> None:
        """Writes the derivatives of h': by a_z, `(h - n) * z * (1 - z)`, and by a_n, `(1 - z) * tanh'(a_n)`."""
        _, z, n = tape.gates_of(steps)
        h, one_minus_z = tape.state["h"][steps], scratch
        np.subtract(1, z, one_minus_z)
        np.subtract(h, n, dh_da_z)
        np.multiply(dh_da_z, z, dh_da_z)
        np.multiply(dh_da_z, one_minus_z, dh_da_z)
        tape.noise.candidate_derivative(steps, n, dh_da_n)
        np.multiply(dh_da_n, one_minus_z, dh_da_n)
