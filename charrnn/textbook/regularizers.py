"""What regularizes a cell, put around it: the cell itself knows nothing of it.

Masks are drawn anew for each step; so is then the cell that a `Recurrent` layer has for that step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from charrnn.arrays import Array
from charrnn.textbook.base import Cell, State, Weights
from charrnn.textbook.functions import Activation

EPS = 1e-5
"""Keeps the root of `LayerNorm` from zero."""


def dropped(activation: Activation, mask: Array) -> Activation:
    """Returns the activation times a mask (B, H): recurrent dropout (Semeniuta et al. 2016, arXiv 1603.05118)."""
    return Activation(lambda a: mask * activation.value(a), lambda a: mask * activation.slope(a))


@dataclass(frozen=True)
class Zoneout(Cell):
    """Lets a share z of a state stay as it was (Krueger et al. 2017, arXiv 1606.01305).

    s' = z * s + (1 - z) * cell(s)
    """

    cell: Cell
    z: dict[str, Array]
    """By the state's name, (B, H) of 0 and 1, or of what is between; all of it moves where there is no name."""

    def forward(self, p: Weights, x: Array, state: State) -> tuple[State, Any]:
        """Does the cell's step, and keeps some of the state before it."""
        after, cache = self.cell.forward(p, x, state)
        return after | {name: z * state[name] + (1 - z) * after[name] for name, z in self.z.items()}, cache

    def backward(self, p: Weights, cache: Any, dstate: State) -> tuple[Array, State, Weights]:
        """Differentiates the step; what stayed passes its gradient on as it is."""
        moved = dstate | {name: (1 - z) * dstate[name] for name, z in self.z.items()}
        dx, before, grads = self.cell.backward(p, cache, moved)
        return dx, before | {name: before[name] + z * dstate[name] for name, z in self.z.items()}, grads


@dataclass(frozen=True)
class LayerNorm(Cell):
    """Normalizes each gate's sum (Ba et al. 2016, arXiv 1607.06450), in cells that compute `a = z @ W_k + b_k`.

    (1) s = z @ W_k                                          for each gate k
    (2) n = (s - mean(s)) / sqrt(mean((s - mean(s))^2) + EPS)         over the H units of a row
    (3) a = gain_k * n + b_k

    The cell is to find this a where it computes `z @ W_k + b_k`. So it is given another input, of each row its number,
    one-hot, and another W_k: zeros below h, and below the input, for each row, `gain_k * n`. Of this matrix it then
    returns the gradient that each row has at a.
    """

    cell: Cell

    def forward(self, p: Weights, x: Array, state: State) -> tuple[State, Any]:
        """Does the cell's step on sums that are normalized."""
        z = np.concatenate([state["h"], x], axis=1)
        normal = {k: normalize(z @ p[f"W_{k}"]) for k in self.cell.gates}  # (1, 2)
        H = state["h"].shape[1]
        of_rows = p | {f"W_{k}": np.concatenate([np.zeros((H, H)), p[f"gain_{k}"] * n]) for k, (n, _) in normal.items()}
        after, cache = self.cell.forward(of_rows, np.eye(len(x)), state)  # (3)
        return after, (z, normal, of_rows, cache)

    def backward(self, p: Weights, cache: Any, dstate: State) -> tuple[Array, State, Weights]:
        """Differentiates each equation, from (3) to (1)."""
        z, normal, of_rows, inner = cache
        H = dstate["h"].shape[1]
        _, before, grads = self.cell.backward(of_rows, inner, dstate)
        dz = np.zeros_like(z)
        for k, (n, root) in normal.items():
            da = grads[f"W_{k}"][H:]  # (B, H)
            grads[f"gain_{k}"] = (da * n).sum(axis=0)  # (3)
            dn = da * p[f"gain_{k}"]
            # (2) n depends on each s of its row by itself, by the mean, and by the root
            ds = (dn - dn.mean(axis=1, keepdims=True) - n * (dn * n).mean(axis=1, keepdims=True)) / root
            grads[f"W_{k}"] = z.T @ ds  # (1)
            dz += ds @ p[f"W_{k}"].T
        return dz[:, H:], before | {"h": before["h"] + dz[:, :H]}, grads


def normalize(s: Array) -> tuple[Array, Array]:
    """Returns each row of `s (B, H)` with mean 0 and deviation 1, and the deviation that it had, (B, 1)."""
    centred = s - s.mean(axis=1, keepdims=True)
    root = np.sqrt((centred**2).mean(axis=1, keepdims=True) + EPS)
    return centred / root, root
