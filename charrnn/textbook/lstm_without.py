"""The LSTM with one part taken away (Greff et al. 2015, arXiv 1503.04069; theirs have peepholes, these have none).

Each is the LSTM of `lstm.py` where something is held fast. A gate that is not there is one that is always open, f = 1:
that is `sigmoid(0 + inf)`. A forget gate coupled to the input gate, f = 1 - i, has its weights but for the sign, since
`1 - sigmoid(a) = sigmoid(-a)`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from charrnn.arrays import Array
from charrnn.textbook.base import State, Weights
from charrnn.textbook.functions import ACTIVATIONS, Activation
from charrnn.textbook.lstm import LSTM


@dataclass(frozen=True)
class NoInputActivation(LSTM):
    """Has `g = a_c` in place of (4)."""

    candidate: Activation = ACTIVATIONS["identity"]


@dataclass(frozen=True)
class NoOutputActivation(LSTM):
    """Has `h' = o * c'` in place of (7)."""

    output: Activation = ACTIVATIONS["identity"]


@dataclass(frozen=True)
class OpenGate(LSTM):
    """Is the LSTM in which one gate is always 1, and has no parameters."""

    open: ClassVar[str]

    def forward(self, p: Weights, x: Array, state: State) -> tuple[State, Any]:
        """Does the LSTM's step with that gate held open."""
        return super().forward(self.completed(p), x, state)

    def backward(self, p: Weights, cache: Any, dstate: State) -> tuple[Array, State, Weights]:
        """Differentiates the LSTM's step; a gate that cannot move has no gradient."""
        dx, dstate, grads = super().backward(self.completed(p), cache, dstate)
        return dx, dstate, {name: grads[name] for name in grads if not name.endswith(f"_{self.open}")}

    def completed(self, p: Weights) -> Weights:
        """Returns the parameters of an LSTM whose gate these hold open."""
        nothing = {f"W_{self.open}": np.zeros_like(p["W_c"])}
        return p | nothing | {f"b_{self.open}": np.full_like(p["b_c"], np.inf)}


class NoInputGate(OpenGate):
    """Has `i = 1` in place of (3)."""

    open = "i"
    gates = ("f", "c", "o")


class NoForgetGate(OpenGate):
    """Has `f = 1` in place of (2), as in Hochreiter and Schmidhuber 1997."""

    open = "f"
    gates = ("i", "c", "o")


class NoOutputGate(OpenGate):
    """Has `o = 1` in place of (5)."""

    open = "o"
    gates = ("f", "i", "c")


@dataclass(frozen=True)
class CoupledLSTM(LSTM):
    """Has `f = 1 - i` in place of (2)."""

    gates = ("i", "c", "o")

    def forward(self, p: Weights, x: Array, state: State) -> tuple[State, Any]:
        """Does the LSTM's step with W_f = -W_i and b_f = -b_i."""
        return super().forward(p | {"W_f": -p["W_i"], "b_f": -p["b_i"]}, x, state)

    def backward(self, p: Weights, cache: Any, dstate: State) -> tuple[Array, State, Weights]:
        """Differentiates the step; the gradients of W_f and b_f, with their sign changed, go to W_i and b_i."""
        dx, dstate, grads = super().backward(p | {"W_f": -p["W_i"], "b_f": -p["b_i"]}, cache, dstate)
        dW_f, db_f = grads.pop("W_f"), grads.pop("b_f")
        return dx, dstate, grads | {"W_i": grads["W_i"] - dW_f, "b_i": grads["b_i"] - db_f}
