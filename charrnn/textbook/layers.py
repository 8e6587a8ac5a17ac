"""A cell over time, and what can be done with its output. Each layer has `forward` and, in reverse, `backward`.

What a layer needs for the way back it keeps. A net is a list of layers:

    for layer in layers:
        x = layer.forward(x)
    for layer in reversed(layers):
        dx = layer.backward(dx)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from charrnn.arrays import Array
from charrnn.textbook.base import Cell, State, Weights


class Layer(Protocol):
    """Computes a function of a whole batch, and its derivative."""

    def forward(self, x: Array) -> Array:
        """Returns the output (T, B, .) for the input `x (T, B, .)`."""

    def backward(self, dh: Array) -> Array:
        """Turns the gradient of the output into that of the input."""


class Recurrent:
    """Runs a cell one step after another, and goes back through time (Werbos 1990)."""

    def __init__(self, steps: Sequence[Cell], p: Weights, state: State) -> None:
        """`steps` is the cell T times, `state` that before the first step."""
        self.steps, self.p, self.state = steps, p, state
        self.dstate = {name: np.zeros_like(s) for name, s in state.items()}
        """The gradient of the last step's state: zero, if nothing follows. `backward` makes it that of `state`."""
        self.grads = {name: np.zeros_like(w) for name, w in p.items()}

    def forward(self, x: Array) -> Array:
        """Returns the h of every step, (T, B, H); the state after the last one is then in `final`."""
        self.caches: list[Any] = []
        state, hs = self.state, []
        for t, cell in enumerate(self.steps):
            state, cache = cell.forward(self.p, x[t], state)
            self.caches.append(cache)
            hs.append(state["h"])
        self.final = state
        return np.stack(hs)

    def backward(self, dh: Array) -> Array:
        """Returns dx. Every step's h is used twice: as output, whose gradient is dh[t], and by the next step."""
        dxs = []
        for t in reversed(range(len(self.steps))):
            dstate = self.dstate | {"h": self.dstate["h"] + dh[t]}
            dx, self.dstate, grads = self.steps[t].backward(self.p, self.caches[t], dstate)
            for name in grads:  # every step uses the same parameters
                self.grads[name] = self.grads[name] + grads[name]
            dxs.append(dx)
        return np.stack(dxs[::-1])


class Reversed:
    """Makes a layer read the text from its end."""

    def __init__(self, layer: Layer) -> None:
        self.layer = layer

    def forward(self, x: Array) -> Array:
        """Returns the layer's output, in the order of the text."""
        return self.layer.forward(x[::-1])[::-1]

    def backward(self, dh: Array) -> Array:
        """Returns dx, in the order of the text."""
        return self.layer.backward(dh[::-1])[::-1]


class SideBySide:
    """Lets layers read the same input (Schuster and Paliwal 1997, if one of them is reversed)."""

    def __init__(self, layers: Sequence[Layer]) -> None:
        self.layers = layers

    def forward(self, x: Array) -> Array:
        """Returns the outputs of all layers, one beside the other."""
        return np.concatenate([layer.forward(x) for layer in self.layers], axis=2)

    def backward(self, dh: Array) -> Array:
        """Returns dx. The input is used by all layers, so its gradient is a sum."""
        parts = np.split(dh, len(self.layers), axis=2)
        return np.asarray(sum(layer.backward(part) for layer, part in zip(self.layers, parts, strict=True)))


class Dropout:
    """Multiplies by a mask that was drawn (Srivastava et al. 2014)."""

    def __init__(self, mask: Array) -> None:
        """`mask` is (T, B, .), each element 0 or 1 / (share that is kept)."""
        self.mask = mask

    def forward(self, x: Array) -> Array:
        return x * self.mask

    def backward(self, dh: Array) -> Array:
        return dh * self.mask
