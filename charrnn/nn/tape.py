"""The tape: the memory in which the forward pass of a layer leaves what its backward pass needs.

A tape knows how many arrays a cell wants and how large they are (`Layout`), and nothing of its equations. It is
allocated once for batches of one shape, and every batch writes over the one before.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
import numpy.typing as npt

from charrnn.arrays import Array
from charrnn.nn.layout import Layout, split
from charrnn.nn.noise import LayerNoise
from charrnn.nn.numerics import IN_CACHE
from charrnn.nn.parameters import LayerParams
from charrnn.nn.state_products import Empty, StateProducts

LayerState = dict[str, Array]
"""The state of one layer, or the gradient of it: an array (B, H) for each of its names, h and for the LSTM c."""

Padding = list[Array | None]
"""For each step, the numbers of the rows that have ended before it: (n,); None where none has."""


class Tape(StateProducts):
    """Is the memory of one layer for batches of T steps and B rows.

    In `a (T, G, B, H)` the gates of a step are one contiguous block, and each gate of it another, so that elementwise
    work runs at full speed. Gradients are in rows, `da (T, B, G*H)`, so that the products with `W.T` and for dW are one
    each. States have T + 1 rows: row 0 is the initial state, and no loop asks `if t == 0`.

    What a loop over time needs at step t is a view that was made once, in a list: `gates[t]` and `da_gates[t]` have an
    array (B, H) for each gate; `a_parts[t]`, `xW_parts[t]` and `da_parts[t]` one for each part, (n, B, H) if it is of
    n > 1 gates. `da_columns[t]` has the parts as columns of (B, G*H), so each (B, n*H).

    A tape is read back once: the backward pass uses the memory of the gates for other things.
    """

    x: Array
    """The input of the batch at hand: ids (T, B), or (T, B, D)."""
    ids: Array
    """In the first layer, what chose x where it is vectors: (T, B)."""
    starts: Array
    """Which rows of the batch begin a text: bools (B,)."""
    noise: LayerNoise
    """What is random in the batch."""
    padding: Padding | None = None
    """Which rows are padding, at each step; None where none is at any."""
    side_size: int = 0
    """How many of the last rows of W meet what every step reads beside x."""
    side: Array | None = None
    """That itself: ids (B,), or vectors (B, C)."""
    side_product: Array | None = None
    """What it adds to `x @ W_x`, scaled: (B, G*H)."""
    dside: Array | None = None
    """The gradient of `side`, where that is vectors: (B, C)."""
    adds_bias_to_input = True
    """Whether b is added to `x @ W_x`; if not, it is the tape's own to add, and its gradient the tape's to write."""

    def __init__(
        self,
        layout: Layout,
        seq_length: int,
        batch_size: int,
        hidden_size: int,
        dtype: npt.DTypeLike,
        empty: Empty = np.empty,
    ) -> None:
        """`empty` gives the memory. What is in it need not stay from one forward pass to the next."""
        G, T, B, H = len(layout.scales), seq_length, batch_size, hidden_size
        self.layout = layout
        self.shape = T, B
        self.hidden_size = H
        self.dtype = np.dtype(dtype)
        self.is_recorded = False
        self.empty = empty
        self._arrays: dict[str, Array] = {}
        dtype = self.dtype
        self.a = empty((T, G, B, H), dtype)  # the pre-activations, which become the gates in place
        # One memory under two names. On the way forward it holds `x @ W_x + b`, which no step needs on its way back:
        # the gradient of the pre-activations then takes its place.
        self.xW = self.da = self.memory_of("da", T, G * H)
        self.state = {name: self.memory_of(name, T + 1, H) for name in layout.state}
        self.saved = {name: empty((T, B, H), dtype) for name in layout.saved}
        self.a_blocks = list(self.a)  # (G, B, H)
        self.gates = [tuple(block) for block in self.a]
        self.a_parts = [split(block, layout.parts) for block in self.a]
        self.xW_blocks = self.da_blocks = self.gates_first(self.xW)
        self.xW_parts = self.da_parts = [split(block, layout.parts) for block in self.xW_blocks]
        self.rows = {name: list(array) for name, array in (self.state | self.saved).items()}
        self.u, self.v = empty((2, B, H), dtype)  # scratch
        self.ones = empty((B, H), dtype)
        self.scale = np.repeat(np.array(layout.scales, dtype), H)  # (G*H,)
        self.b = empty((G * H,), dtype)  # times `scale`, as all of W will be
        self._cut_state_product()

    # --- what is otherwise where a tape is of some of the units, and others compute the rest (`tensor_parallel`) ---

    def memory_of(self, name: str, steps: int, width: int) -> Array:
        """Returns memory (steps, B, width) for what is read by the steps of all units: h, da or dhW; and for c."""
        return self.empty((steps, self.shape[1], width), self.dtype)

    @property
    def read(self) -> Array:
        """What the product with W_h reads: the states h of all units, (T + 1, B, R), where R is H."""
        return self.state["h"]

    def own_columns(self, W: Array) -> Array:
        """Returns a view of `W (..., G*R)`: the columns of each gate that belong to units of this tape, (..., G, H)."""
        return W.reshape(*W.shape[:-1], -1, self.hidden_size)

    def _named(self, name: str, shape: tuple[int, ...]) -> Array:
        """Returns the memory of a name, whose shape is always the same."""
        if name not in self._arrays:
            self._arrays[name] = self.empty(shape, self.dtype)
        return self._arrays[name]

    def backward_input_product(self, W_x: Array, dx: Array) -> None:
        """Writes to `dx (T, B, D)` the gradient that reaches x through the product with `W_x (D, G*H)`."""
        T, B = self.shape
        np.matmul(self.dxW.reshape(T * B, -1), W_x.T, out=dx.reshape(T * B, -1))

    # --- memory ---

    def gates_first(self, rows: Array) -> list[Array]:
        """Returns, for each step, a view (G, B, H) of `rows (T, B, G*H)`. It is not contiguous."""
        return list(rows.reshape(*rows.shape[:2], -1, self.hidden_size).transpose(0, 2, 1, 3))

    def release(self) -> None:
        """Lets go of what belongs to the last batch, such as masks of dropout, which would stay in memory with it."""
        for name in ("x", "ids", "starts", "noise", "padding", "side", "side_product", "dside"):
            self.__dict__.pop(name, None)

    # --- forward ---

    def begin_forward(self, params: LayerParams, reads_ids: bool) -> None:
        """Prepares W and b, times `scale`; where the input is ids, b is added to the rows of W that they choose."""
        R, scale = self.read.shape[-1], self.scale.reshape(-1, self.hidden_size)
        self.ones[...] = 1  # as all memory, it may have served another shape
        W_h, W_x = self.own_columns(params["W"][:R]), self.own_columns(params["W"][R:])
        self.W_x = self._named("W_x", (len(W_x), scale.size))
        shape = self._W_h_rows.shape
        np.multiply(W_h.reshape(shape), scale.reshape(shape[1:]), self._W_h_rows)
        np.multiply(W_x, scale, self.W_x.reshape(W_x.shape))
        np.multiply(self.own_columns(params["b"]), scale, self.b.reshape(scale.shape))
        self.W_input, self.W_side = np.split(self.W_x, [len(self.W_x) - self.side_size])
        if reads_ids and self.adds_bias_to_input:
            self.W_input += self.b
        self.is_recorded = True

    def add_state_product(self, t: int) -> Array:
        """Returns the pre-activations of step t, scaled: `a[t] = x[t] @ W_x + b + h[t] @ W_h`, (G, B, H)."""
        a = self.multiply_state(t)
        return np.add(a, self.xW_blocks[t], a)

    # --- backward ---

    def begin_backward(self, W: Array) -> None:
        """Prepares the transpose; the first time it allocates the backward half, which evaluation never needs.

        Raises RuntimeError where no forward pass has been recorded since the tape was last read back.
        """
        if not self.is_recorded:
            raise RuntimeError("a tape is read back once for each forward pass: reading it destroys the gates")
        self.is_recorded = False
        if not hasattr(self, "partials"):
            self._allocate_backward()
        self.W_hT = self.transposed_state_rows(W)
        self.W_hT_parts = [self.W_hT[0, 0, 0, columns] for columns in self.columns]  # for cells with a product each

    def _allocate_backward(self) -> None:
        T, _, B, H = self.a.shape
        widths = self.layout.partials
        self.chunk = max(1, min(T, IN_CACHE // (B * H)))
        self._partials = self.empty((self.chunk, sum(widths), B, H), self.dtype)
        views = [split(step, widths) for step in self._partials]
        self.partials = [views[t % self.chunk] for t in range(T)]
        self._allocate_product_gradients()
        self._cut_backward_product()
        self.dhW_blocks = self.gates_first(self.dhW)
        self.da_gates = [tuple(block) for block in self.da_blocks]
        self.da_columns = [self.by_part(row) for row in self.da]

    def _allocate_product_gradients(self) -> None:
        """Says where the gradients of `x @ W_x` and of `h @ W_h` are: in `da`, unless a gate comes between."""
        self.dxW = self.da
        T, _, width = self.da.shape
        self.dhW = self.memory_of("dhW", T, width) if self.layout.product_is_gated else self.da

    @cached_property
    def columns(self) -> list[slice]:
        """Which columns of W, and so of `da`, belong to each part."""
        stops = np.cumsum(self.layout.parts) * self.hidden_size
        return [slice(stop - n * self.hidden_size, stop) for stop, n in zip(stops, self.layout.parts, strict=True)]

    def by_part(self, array: Array) -> list[Array]:
        """Cuts an array (..., G*H) into views: the columns of each part."""
        return [array[..., columns] for columns in self.columns]

    def gates_of(self, steps: slice) -> Array:
        """Returns each gate at several steps: (G, steps, B, H)."""
        return self.a[steps].swapaxes(0, 1)

    def partials_of(self, steps: slice) -> tuple[Array, ...]:
        """Returns where partial derivatives of these steps go: (steps, B, H) each, or n of these if its size is n."""
        first = steps.start % self.chunk
        slots = self._partials[first : first + steps.stop - steps.start]
        return split(slots.swapaxes(0, 1), self.layout.partials)

    def own_grads(self, grads: LayerParams) -> None:
        """Writes the gradients of parameters that belong to the tape and not to the cell: here none."""
        return

    # --- memory of what is not always there ---

    @cached_property
    def zoned(self) -> LayerState:
        """Memory for the gradient that passes a step by in zoneout: (B, H) for each state."""
        return {name: self.empty(self.u.shape, self.dtype) for name in self.state}

    def dropped(self, shape: tuple[int, ...]) -> Array:
        """Returns memory for the layer's output after dropout; its shape is always the same."""
        return self._named("dropped", shape)


def product_grads(left: Array, dproduct: Array, out: Array) -> None:
    """Writes the gradient of `W`, where `left (T, B, H) @ W` has the gradient `dproduct (T, B, N)`, to `out (H, N)`.

    It is one product over all T*B rows instead of T small ones.
    """
    T, B, H = left.shape
    np.matmul(left.reshape(T * B, H).T, dproduct.reshape(T * B, -1), out=out)
