"""Memory in which a model works on a batch, kept from batch to batch: nothing is allocated but for the first."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from charrnn.arrays import Array
from charrnn.nn.stack import Stack, State


class Workspace:
    """Holds memory for batches (T, B), used anew for each: the tapes, and what the output layer needs."""

    def __init__(self, stack: Stack, vocab_size: int, T: int, B: int, dtype: np.dtype[Any]) -> None:
        self.rows, self.vocab_size, self.output_size, self.dtype = T * B, vocab_size, stack.output_size, dtype
        self.tapes = stack.tapes(T, B, dtype)
        self.mean_noise = stack.mean_noise()
        self._dstate = stack.zero_state(B, dtype)

    @cached_property
    def logits(self) -> Array:
        """Memory (T*B, V) for the logits, which `cross_entropy_` turns into their gradient."""
        return np.empty((self.rows, self.vocab_size), self.dtype)

    @cached_property
    def dh(self) -> Array:
        """Memory for the gradient of a layer's output: (T*B, H), or 2H where it reads in both directions."""
        return np.empty((self.rows, self.output_size), self.dtype)

    def zero_dstate(self) -> State:
        """Returns the gradient of a final state that nothing follows: zero, in memory that is kept."""
        for layer in self._dstate:
            for d in layer.values():
                d[...] = 0
        return self._dstate


class Workspaces:
    """Keeps the workspaces of the shapes used last. They are no part of a model: copies of it begin with none."""

    KEPT = 4

    def __init__(self) -> None:
        self._kept: dict[tuple[int, int, np.dtype[Any]], Workspace] = {}

    def get(self, stack: Stack, vocab_size: int, ids: Array, dtype: np.dtype[Any]) -> Workspace:
        """Returns the one for batches of the shape of `ids (T, B)`, made on first use. Stack and V never change."""
        T, B = ids.shape
        key = T, B, dtype
        space = self._kept.pop(key, None) or Workspace(stack, vocab_size, T, B, dtype)
        self._kept[key] = space  # the last is the newest
        if len(self._kept) > self.KEPT:
            del self._kept[next(iter(self._kept))]
        return space

    def __deepcopy__(self, memo: object) -> Workspaces:
        return Workspaces()

    def __reduce__(self) -> tuple[type[Workspaces], tuple[()]]:
        return Workspaces, ()
