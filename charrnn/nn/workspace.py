"""Memory in which a network works on a batch, kept from batch to batch.

Items make batches of many shapes, and new memory is slow: the system hands it out page by page. So all shapes share
one memory, as long as only one of them is worked on at a time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from charrnn.arrays import Array
from charrnn.nn.noise import Noise
from charrnn.nn.stack import State
from charrnn.nn.state_products import Empty
from charrnn.nn.tape import Tape


class Memory:
    """Is memory that is handed out again and again: the n-th array that a workspace asks for is always at one place."""

    def __init__(self) -> None:
        self.blocks: list[Array] = []
        self.generation = 0
        """How often a block has grown: arrays from before keep memory that is not shared any more."""

    def block(self, n: int, size: int) -> Array:
        """Returns the n-th block, of at least `size` bytes."""
        if n == len(self.blocks):
            self.blocks.append(np.empty(size, np.uint8))
        elif self.blocks[n].size < size:
            self.blocks[n] = np.empty(size, np.uint8)
            self.generation += 1
        return self.blocks[n]


class Layers(Protocol):
    """Is what works in a workspace: a `Stack`, or one process's section of it."""

    @property
    def place(self) -> str:
        """What tells it from the others of a network."""

    def tapes(self, seq_length: int, batch_size: int, dtype: npt.DTypeLike, empty: Empty) -> Sequence[Tape]:
        """Returns the memory of each layer, for batches of one shape."""

    def mean_noise(self) -> Noise:
        """Returns what stands in for noise where none is drawn."""


class Workspace:
    """Holds what a stack needs for batches (T, B): the tapes, and arrays for what stands above."""

    def __init__(self, stack: Layers, T: int, B: int, dtype: np.dtype[Any], memory: Memory) -> None:
        self._memory, self._taken, self._dtype = memory, 0, dtype
        self.tapes = list(stack.tapes(T, B, dtype, self.empty))
        self.mean_noise = stack.mean_noise()
        self._dstate = [{name: self.empty((B, tape.hidden_size), dtype) for name in tape.state} for tape in self.tapes]
        self._arrays: dict[str, Array] = {}

    def empty(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        """Returns memory of this workspace for one more array."""
        count = math.prod(shape)
        block = self._memory.block(self._taken, count * dtype.itemsize)
        self._taken += 1
        return block[: count * dtype.itemsize].view(dtype).reshape(shape)

    def array(self, name: str, shape: tuple[int, ...]) -> Array:
        """Returns the array of this name, whose shape is always the same; what is in it is left from before."""
        if name not in self._arrays:
            self._arrays[name] = self.empty(shape, self._dtype)
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

    KEPT = 512

    def __init__(self) -> None:
        self._kept: dict[tuple[str, int, int, np.dtype[Any]], tuple[int, Workspace]] = {}
        self._memories: dict[str, Memory] = {}
        self._last: dict[str, Workspace] = {}
        """By the place of a stack, the workspace that it used last."""

    def get(self, stack: Layers, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Workspace:
        """Returns the one of a stack for batches of `shape (T, B)`, made on first use.

        What is in it is lost once another shape of the same stack is worked on.
        """
        T, B = shape
        key = stack.place, T, B, dtype
        memory = self._memories.setdefault(stack.place, Memory())
        generation, space = self._kept.pop(key, (-1, None))
        if space is None or generation != memory.generation:
            self._drop_outgrown(stack.place, memory.generation)
            space = Workspace(stack, T, B, dtype, memory)
        self._kept[key] = memory.generation, space  # the last is the newest
        if (last := self._last.get(stack.place)) is not space and last is not None:
            for tape in last.tapes:
                tape.release()
        self._last[stack.place] = space
        if len(self._kept) > self.KEPT:
            del self._kept[next(iter(self._kept))]
        return space

    def _drop_outgrown(self, place: str, generation: int) -> None:
        """Lets go of workspaces that hold memory from before it grew."""
        for key, (of, _) in list(self._kept.items()):
            if key[0] == place and of != generation:
                del self._kept[key]

    def __deepcopy__(self, memo: object) -> Workspaces:
        return Workspaces()

    def __reduce__(self) -> tuple[type[Workspaces], tuple[()]]:
        return Workspaces, ()
