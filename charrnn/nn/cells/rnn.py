"""The plain recurrent network (Elman 1990), with tanh, relu or sigmoid.

(1) a = x @ W_x + h @ W_h + b
(2) h' = activation(a)
"""

from __future__ import annotations

import numpy as np

from charrnn.nn import numerics
from charrnn.nn.cells.base import Cell, LayerParams, Tape
from charrnn.nn.numerics import Array


class RNN(Cell):
    """`activation` is the name of (2): "tanh", "relu" or "sigmoid"."""

    gates = ("h",)

    def __init__(self, activation: str = "tanh") -> None:
        self.activate, self.derivative = ACTIVATIONS[activation]

    def step(self, params: LayerParams, tape: Tape, t: int) -> None:
        (a,) = tape.add_state_product(t)  # (1)
        self.activate(a, tape.state["h"][t + 1])  # (2)

    def step_backward(self, params: LayerParams, tape: Tape, t: int, dstate: LayerParams) -> None:
        dh, da = dstate["h"], tape.da[t]
        # (2) h' = activation(a)
        self.derivative(tape.state["h"][t + 1], da)
        np.multiply(da, dh, out=da)
        # (1) a = ... + h @ W_h
        tape.backward_state_product(t, dh)


# Each activation with its derivative, which is written in terms of the activation's own value, h.
def _tanh_derivative(h: Array, out: Array) -> None:
    np.multiply(h, h, out=out)
    np.subtract(1, out, out=out)


def _relu(a: Array, out: Array) -> None:
    np.maximum(a, 0, out=out)


def _relu_derivative(h: Array, out: Array) -> None:
    np.greater(h, 0, out=out, casting="unsafe")  # at 0 itself the derivative is taken as 0


def _sigmoid(a: Array, out: Array) -> None:
    np.copyto(out, a)
    numerics.sigmoid_(out)


def _sigmoid_derivative(h: Array, out: Array) -> None:
    np.subtract(1, h, out=out)
    np.multiply(out, h, out=out)


ACTIVATIONS = {
    "tanh": (numerics.tanh, _tanh_derivative),
    "relu": (_relu, _relu_derivative),
    "sigmoid": (_sigmoid, _sigmoid_derivative),
}
