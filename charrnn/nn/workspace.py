"""Memory in which a network works on a batch, kept from batch to batch: what has a shape that came before is there."""

from __future__ import annotations

from typing import Any

import numpy as np

from charrnn.arrays import Array
from charrnn.nn.stack import Stack, State


class Workspace:
    """Holds memory for a stack on batches (T, B), used anew for each: the tapes, and arrays for what stands above."""

    def __init__(self, stack: Stack, T: int, B: int, dtype: np.dtype[Any]) -> None:
        self.tapes = stack.tapes(T, B, dtype)
        self.mean_noise = stack.mean_noise()
        self._dstate = stack.zero_state(B, dtype)
        self._dtype = dtype
        self._arrays: dict[str, Array] = {}

    def array(self, name: str, shape: tuple[int, ...]) -> Array:
        """Returns the memory of this name, whose shape is always the same; what is in it is left from before."""
        if name not in self._arrays:
            self._arrays[name] = np.empty(shape, self._dtype)
        return self._arrays[name]

    def zero_dstate(self) -> State:
        """Returns the gradient of a final state that nothing follows: zero, in memory that is kept."""
        for layer in self._dstate:
            for d in layer.values():
                d[...] = 0
        return self._dstate

    def final_state(self) -> State:
        """Returns the state after the batch, in memory that is the caller's to keep."""
        return [{name: rows[-1].copy() for name, rows in tape.state.items()} for tape in self.tapes]


class Workspaces:
    """Keeps the workspaces of the shapes used last. They are no part of a model: copies of it begin with none."""

    KEPT = 48
    """Enough for items of many lengths; a text has one shape for training and a few for evaluation."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, int, int, np.dtype[Any]], Workspace] = {}

    def get(self, stack: Stack, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Workspace:
        """Returns the one of a stack for batches of `shape (T, B)`, made on first use."""
        T, B = shape
        key = stack.place, T, B, dtype
        space = self._kept.pop(key, None) or Workspace(stack, T, B, dtype)
        self._kept[key] = space  # the last is the newest
        if len(self._kept) > self.KEPT:
            del self._kept[next(iter(self._kept))]
        return space

    def __deepcopy__(self, memo: object) -> Workspaces:
        return Workspaces()

    def __reduce__(self) -> tuple[type[Workspaces], tuple[()]]:
        return Workspaces, ()
