"""What a cell is: one time step and its exact derivative. And the tape on which the one leaves what the other needs.

Time, the batch and the input product belong to `unroll`; a cell sees one step of them:

- `step` finds what the input brings to its pre-activations in `tape.share[t] (G, B, H)`, times `scale`, and the states
  in row t; it writes the gates to `tape.a[t]`, and the states' row t + 1.
- `local_derivatives` is called backwards over the text for a few steps at once, and writes to `tape.local` all that the
  derivative of those steps needs and that does not depend on what comes back from later ones.
- `step_backward` finds `dstate`, the gradient of the states' row t + 1; it writes `tape.da[t] (B, G*H)`, the gradient
  of the pre-activations, and turns `dstate` into the gradient of row t. A cell that `splits_product` writes the
  product's gradient to `tape.dp[t]`, and may leave what is the same in both for `param_grads` to copy to `tape.da`.
- `param_grads` runs once, after the loop: one matrix product over all T*B rows instead of T small ones.

Steps write through `out=` and allocate nothing.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import cached_property
from types import MappingProxyType
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from charrnn.arrays import Array
from charrnn.nn.noise import LayerNoise
from charrnn.nn.numerics import ONE

LayerParams = dict[str, Array]

SIGMOID, TANH, AS_IT_IS = -1.0, -2.0, 1.0
"""A gate's `scale`: sigmoid(a) = 1 / (1 + exp(-a)) and tanh(a) = 2 sigmoid(2a) - 1 begin with a times -1 and -2. It is
multiplied into a copy of W and b once for each window, instead of into every step's pre-activations."""


class Cell(ABC):
    """One time step of a recurrent layer and its derivative. Stateless: all numbers are in `params` and the tape."""

    gates: tuple[str, ...]
    """Names of the H-wide blocks of a pre-activation, in the order of W's columns."""
    scale: tuple[float, ...]
    """What each gate's pre-activation has been multiplied by when `step` sees it."""
    state: tuple[str, ...] = ("h",)
    """What crosses time."""
    vectors: tuple[str, ...] = ()
    """Parameters of shape (H,) beyond W and b; they begin at zero."""
    matrices: Mapping[str, int] = MappingProxyType({})
    """Those of shape (n*H, n*H), with their n; they begin as the recurrent rows of W do."""
    saved: tuple[str, ...] = ()
    """Arrays (T, B, H) that `step` leaves for the backward pass beside the gates and states."""
    local: ClassVar[tuple[str, ...]]
    """Names of the arrays that `local_derivatives` writes."""
    splits_product: ClassVar[bool] = False
    """True if `h @ W_h` does not simply add to the pre-activation: its gradient then has rows of its own, `tape.dp`."""
    adds_product: ClassVar[bool] = True
    """Whether `h @ W_h` simply adds to the pre-activations, so that these can be normalized (see `layer_norm`)."""
    candidate: ClassVar[bool] = True
    """Whether there is a candidate, which recurrent dropout drops; see `Tape.drop_candidate`."""

    def init_bias(self, b: Array, hidden_size: int, forget_bias: float) -> None:
        """Sets what is not zero of a new layer's `b (G*H,)`: for most cells nothing."""
        return

    @abstractmethod
    def step(self, params: LayerParams, tape: Tape, t: int) -> None:
        """Writes the gates to `tape.a[t]`, and turns the states' row t into row t + 1."""

    @abstractmethod
    def local_derivatives(self, params: LayerParams, tape: Tape, steps: slice) -> None:
        """Fills `tape.local (chunk, ., B, H)`, an array for each name in `local`, for these steps."""

    @abstractmethod
    def step_backward(self, params: LayerParams, tape: Tape, t: int, dstate: LayerParams) -> None:
        """Writes `tape.da[t]`; turns `dstate`, each (B, H), from the gradient of row t + 1 into that of row t."""

    def param_grads(self, params: LayerParams, tape: Tape, grads: LayerParams) -> None:
        """Writes the gradient of the state's share of W, and of what the cell adds beyond W and b."""
        H = tape.hidden_size
        h_prev = tape.state["h"][:-1].reshape(-1, H)  # (T*B, H)
        np.matmul(h_prev.T, tape.dp.reshape(len(h_prev), -1), out=grads["W"][:H])


class Tape:
    """What the forward pass of one layer over `(T, B)` leaves for its backward pass; allocated once and reused.

    In `a (T, G, B, H)` the gates of a step are one contiguous block, and each gate of it another, so that elementwise
    work runs at full speed. The gradients are in rows, `da (T, B, G*H)`, so that the products with `W.T` and for dW are
    one each. Rows are what the product of the input yields, too: on the way forward `da` holds the input's share of the
    pre-activations, which nobody needs on the way back. States have T + 1 rows: row 0 is the initial state, and no loop
    asks `if t == 0`.
    """

    x: Array
    """The input of the window at hand: ids (T, B), or (T, B, D)."""
    starts: Array
    """Which rows of it begin a text: bools (B,)."""
    noise: LayerNoise
    """What is random in it."""

    CHUNK = 1 << 15
    """Elements that one array of local derivatives may have: small enough for all of them to stay in cache."""

    def __init__(self, cell: Cell, seq_length: int, batch_size: int, hidden_size: int, dtype: npt.DTypeLike) -> None:
        G, T, B, H = len(cell.gates), seq_length, batch_size, hidden_size
        self.cell = cell
        self.shape = T, B
        self.hidden_size = H
        self.dtype = np.dtype(dtype)
        self.a = np.empty((T, G, B, H), dtype)  # the gates
        self.da = np.empty((T, B, G * H), dtype)
        self.state = {name: np.empty((T + 1, B, H), dtype) for name in cell.state}
        self.saved = {name: np.empty((T, B, H), dtype) for name in cell.saved}
        # Views of single steps, made once: what a loop over time would otherwise spend its time on.
        self.blocks = list(self.a)  # (G, B, H)
        self.gates = [tuple(block) for block in self.a]  # G arrays (B, H)
        self.share = self.da_blocks = self._gate_blocks(self.da)
        self.rows = {name: list(array) for name, array in (self.state | self.saved).items()}
        self.u, self.v = np.empty((2, B, H), dtype)  # scratch
        self.ones = np.ones((B, H), dtype)
        self.scale = np.repeat(np.array(cell.scale, dtype), H)  # (G*H,)
        self.b = np.empty(G * H, dtype)  # times `scale`, as all of W will be
        # A product for each gate, with a matrix for each; but for one row BLAS is faster with all of them at once.
        one = B == 1
        self.W_h = np.empty((1, H, G * H) if one else (G, H, H), dtype)
        self._W_h_rows = self.W_h.reshape(H, G, H) if one else self.W_h.transpose(1, 0, 2)
        self.W_h_of = list(self._W_h_rows.transpose(1, 0, 2))  # that of each gate, (H, H)
        self._products = [block.reshape(1, 1, G * H) for block in self.a] if one else self.blocks

    @cached_property
    def zoned(self) -> LayerParams:
        """Memory for the gradient that passes a step by, (B, H) for each state."""
        return {name: np.empty_like(self.u) for name in self.state}

    def dropped(self, shape: tuple[int, ...]) -> Array:
        """Memory for a layer's output after dropout; its shape is always the same."""
        if not hasattr(self, "_dropped"):
            self._dropped = np.empty(shape, self.dtype)
        return self._dropped

    def _gate_blocks(self, rows: Array) -> list[Array]:
        """Views of `rows (T, B, G*H)`: for each step (G, B, H), not contiguous."""
        T, G, B, H = self.a.shape
        return list(rows.reshape(T, B, G, H).transpose(0, 2, 1, 3))

    def begin_forward(self, params: LayerParams, reads_ids: bool) -> None:
        """Prepares W and b, times `scale`; where the input is ids, b is added to the rows of W that they choose."""
        H = self.hidden_size
        W_h, W_x = params["W"][:H], params["W"][H:]
        if not hasattr(self, "W_x"):
            self.W_x = np.empty_like(W_x)
        np.multiply(W_h.reshape(self._W_h_rows.shape), self.scale.reshape(-1, H), self._W_h_rows)
        np.multiply(W_x, self.scale, self.W_x)
        np.multiply(params["b"], self.scale, self.b)
        if reads_ids:
            self.W_x += self.b

    def begin_backward(self, W: Array) -> None:
        """Prepares the transpose; allocates the rest of the backward half on its first use: evaluation needs none."""
        T, G, B, H = self.a.shape
        if not hasattr(self, "local"):
            self.dp, self.dp_blocks = self.da, self.da_blocks
            if self.cell.splits_product:
                self.dp = np.empty_like(self.da)
                self.dp_blocks = self._gate_blocks(self.dp)
            self.chunk = max(1, min(T, self.CHUNK // (B * H)))
            self.local = np.empty((self.chunk, len(self.cell.local), B, H), self.dtype)
            self.local_blocks = list(self.local)
            self.W_hT = np.empty((G * H, H), self.dtype)
        if B == 1:
            self.W_hT = W[:H].T
            return
        for start in range(0, H, TILE):  # in columns of a cache line: a plain copy is half as fast
            self.W_hT[:, start : start + TILE] = W[start : min(H, start + TILE)].T

    def multiply_state(self, t: int) -> Array:
        """`a[t] = h[t] @ W_h`, scaled; returned as (G, B, H)."""
        np.matmul(self.rows["h"][t], self.W_h, self._products[t])
        return self.blocks[t]

    def add_state_product(self, t: int) -> Array:
        """The pre-activations of step t, scaled: `a[t] = x[t] @ W_x + b + h[t] @ W_h`, (G, B, H)."""
        a = self.multiply_state(t)
        return np.add(a, self.share[t], a)

    def drop_candidate(self, t: int, g: Array) -> None:
        """Recurrent dropout of step t's candidate, in place: the tape keeps what is left of it."""
        if self.noise.candidate is not None:
            np.multiply(g, self.noise.candidate[t], g)

    def candidate_derivative(self, steps: slice | int, g: Array, out: Array) -> None:
        """From the dropped `g = m * tanh(a)` to `m * (1 - tanh(a)^2)`, its derivative: `m - kept * g^2`."""
        np.multiply(g, g, out)
        if self.noise.candidate is None:
            np.subtract(ONE[out.dtype], out, out)
        else:
            np.multiply(out, self.noise.kept, out)
            np.subtract(self.noise.candidate[steps], out, out)

    @property
    def ds(self) -> Array:
        """The gradient of `x @ W_x + h @ W_h`, (T, B, G*H), as far as the input is concerned."""
        return self.da

    def own_grads(self, grads: LayerParams) -> None:
        """Writes the gradients of parameters that belong to the tape and not to the cell: here none."""
        return

    def backward_state_product(self, t: int, dh: Array) -> None:
        """Writes to `dh (B, H)` the gradient that reaches `h[t]` through the product with W_h."""
        np.matmul(self.dp[t], self.W_hT, dh)


TILE = 16
