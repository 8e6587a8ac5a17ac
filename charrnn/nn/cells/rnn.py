"""The plain recurrent network (Elman 1990), with tanh, relu or sigmoid.

(1) a = x @ W_x + h @ W_h + b
(2) h' = activation(a)
"""

from __future__ import annotations

import numpy as np

from charrnn.arrays import Array
from charrnn.nn.cells.base import AS_IT_IS, SIGMOID, TANH, Cell, LayerParams, Tape
from charrnn.nn.numerics import logistic_, tanh_from_logistic_


class RNN(Cell):
    """`activation` is the name of (2): "tanh", "relu" or "sigmoid"."""

    gates = ("h",)
    local = ("h",)
    candidate = False

    def __init__(self, activation: str = "tanh") -> None:
        scale, self.activate_, self.derivative = ACTIVATIONS[activation]
        self.scale = (scale,)

    def step(self, params: LayerParams, tape: Tape, t: int) -> None:
        (a,) = tape.add_state_product(t)  # (1)
        self.activate_(a)  # (2)
        np.copyto(tape.rows["h"][t + 1], a)

    def local_derivatives(self, params: LayerParams, tape: Tape, steps: slice) -> None:
        h = tape.a[steps]
        self.derivative(h, tape.local[: len(h)])

    def step_backward(self, params: LayerParams, tape: Tape, t: int, dstate: LayerParams) -> None:
        dh = dstate["h"]
        # (2) h' = activation(a)
        np.multiply(dh, tape.local_blocks[t % tape.chunk], tape.da_blocks[t])
        # (1) a = ... + h @ W_h
        tape.backward_state_product(t, dh)


# Each activation with the scale it wants, itself in place, and its derivative in terms of its own value, h.
def _tanh_(a: Array) -> None:
    logistic_(a)
    tanh_from_logistic_(a)


def _tanh_derivative(h: Array, out: Array) -> None:
    np.multiply(h, h, out)
    np.subtract(1, out, out)


def _relu_(a: Array) -> None:
    np.maximum(a, 0, out=a)


def _relu_derivative(h: Array, out: Array) -> None:
    np.greater(h, 0, out=out, casting="unsafe")  # at 0 itself the derivative is taken as 0


def _sigmoid_derivative(h: Array, out: Array) -> None:
    np.subtract(1, h, out)
    np.multiply(out, h, out)


ACTIVATIONS = {
    "tanh": (TANH, _tanh_, _tanh_derivative),
    "relu": (AS_IT_IS, _relu_, _relu_derivative),
    "sigmoid": (SIGMOID, logistic_, _sigmoid_derivative),
}
