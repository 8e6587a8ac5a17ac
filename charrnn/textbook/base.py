"""What all cells of the textbook have in common: what they are asked for, and how a product is differentiated."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np

from charrnn.arrays import Array

Weights = dict[str, Array]
"""The parameters of a layer, or their gradients, by name: `W_f (Z, H)` and `b_f (H,)` for a gate f, ..."""

State = dict[str, Array]
"""What a cell hands to its next step: h, and for an LSTM c, each (B, H)."""


class Cell(ABC):
    """Computes one step of a recurrent layer, forward and backward. The letters are those of `charrnn`: Z = H + D."""

    gates: ClassVar[tuple[str, ...]]
    """Names of what has a matrix `W_k (Z, H)` and a bias `b_k (H,)`."""
    vectors: ClassVar[tuple[str, ...]] = ()
    """Names of further parameters (H,)."""
    state: ClassVar[tuple[str, ...]] = ("h",)

    def shapes(self, D: int, H: int) -> dict[str, tuple[int, ...]]:
        """Returns name and shape of each parameter of a layer with H units that reads inputs of width D."""
        matrices = {f"W_{gate}": (H + D, H) for gate in self.gates}
        biases = {f"b_{gate}": (H,) for gate in self.gates}
        return {**matrices, **biases, **dict.fromkeys(self.vectors, (H,))}

    @abstractmethod
    def forward(self, p: Weights, x: Array, state: State) -> tuple[State, Any]:
        """Returns the state after a step that reads `x (B, D)`, and all that `backward` needs of it."""

    @abstractmethod
    def backward(self, p: Weights, cache: Any, dstate: State) -> tuple[Array, State, Weights]:
        """Turns the gradient of the state after the step into those of x, of the state before it, and of p."""


def affine_backward(p: Weights, z: Array, da: dict[str, Array]) -> tuple[Array, Weights]:
    """Differentiates `a = z @ W_k + b_k` for each gate k in `da`: returns dz, and the gradients of each W_k and b_k.

    All gates read the same z, so its derivative is a sum; all B rows use the same W and b, so theirs are sums, too.
    """
    dz = np.sum([da_k @ p[f"W_{k}"].T for k, da_k in da.items()], axis=0)
    grads = {f"W_{k}": z.T @ da_k for k, da_k in da.items()}
    grads |= {f"b_{k}": da_k.sum(axis=0) for k, da_k in da.items()}
    return dz, grads
