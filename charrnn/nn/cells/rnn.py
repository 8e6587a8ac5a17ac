"""The plain recurrent network (Elman 1990), with tanh, relu or sigmoid.

(1) a = x @ W_x + h @ W_h + b
(2) h' = activation(a)
"""

from __future__ import annotations

import numpy as np

from charrnn.arrays import Array
from charrnn.nn.cells.base import Cell
from charrnn.nn.numerics import (
    AS_IT_IS,
    SIGMOID,
    TANH,
    scaled_sigmoid_,
    scaled_tanh_,
    sigmoid_derivative,
    tanh_derivative,
)
from charrnn.nn.parameters import LayerParams
from charrnn.nn.tape import LayerState, Tape


class RNN(Cell):
    """Computes the plain RNN. `activation` names the function of (2): "tanh", "relu" or "sigmoid"."""

    partials = {"dh_da": 1}
    has_candidate = False

    def __init__(self, activation: str = "tanh") -> None:
        scale, self.activate_, self.derivative = ACTIVATIONS[activation]
        self.gates = {"h": scale}

    def step(self, params: LayerParams, tape: Tape, t: int) -> None:
        # (1) a = x @ W_x + h @ W_h + b
        (a,) = tape.add_state_product(t)
        # (2) h' = activation(a)
        self.activate_(a)
        np.copyto(tape.rows["h"][t + 1], a)

    def step_backward(self, params: LayerParams, tape: Tape, t: int, dstate: LayerState) -> None:
        dh = dstate["h"]
        (dh_da,), (da,) = tape.partials[t], tape.da_gates[t]
        # (2) h' = activation(a)
        np.multiply(dh, dh_da, da)
        # (1) a = x @ W_x + h @ W_h + b
        tape.backward_state_product(t, dh)

    def partial_derivatives(self, params: LayerParams, tape: Tape, steps: slice) -> None:
        (h_next,), (dh_da,) = tape.gates_of(steps), tape.partials_of(steps)
        self.derivative(h_next, dh_da)


def _relu_(a: Array) -> None:
    np.maximum(a, 0, out=a)


def _relu_derivative(h: Array, out: Array) -> None:
    np.greater(h, 0, out=out, casting="unsafe")  # at 0 itself the derivative is taken as 0


ACTIVATIONS = {
    "tanh": (TANH, scaled_tanh_, tanh_derivative),
    "relu": (AS_IT_IS, _relu_, _relu_derivative),
    "sigmoid": (SIGMOID, scaled_sigmoid_, sigmoid_derivative),
}
"""Each activation with the scale that it wants, itself in place, and its derivative in terms of its own value, h'."""
