"""What a cell is: one time step of a recurrent layer, and the exact derivative of that step.

A cell sees a single step. The loop over time, the product of the input and the initial state are in `unroll`, and the
memory is the tape's. A cell has four methods, called in this order:

- `step`, forward, for t = 0, 1, ... It takes the states of row t, and `x @ W_x + b` from `tape.xW_parts[t]`, times
  `scale`. It leaves the gates in `tape.gates[t]` and the new states in row t + 1.
- `partial_derivatives`, for a few steps at once. Most factors in the derivative of a step are known as soon as the
  forward pass is done. They are computed here, in large arrays, so that less is left to do one step at a time.
- `step_backward`, for t = T - 1, T - 2, ... It is given the gradient of the states in row t + 1, and turns it into that
  of row t. On the way it writes the gradient of the pre-activations to `tape.da[t]`, or leaves some of it for the end:
- `param_grads`, once. With the gradients of all steps at hand, that of a matrix is one product. Now `tape.da` is whole.

Names of derivatives: `dX` is the gradient of the loss with respect to X, and `dY_dX` the partial derivative of Y with
respect to X. A prime as in h' marks what a step makes: h is row t of the tape, h' row t + 1. Steps write through `out=`
and allocate nothing.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar, Literal

from charrnn.arrays import Array
from charrnn.nn.layout import Layout
from charrnn.nn.parameters import LayerParams
from charrnn.nn.tape import LayerState, Tape, product_grads

NOTHING: Mapping[str, int] = MappingProxyType({})
NO_NAMES: Mapping[str, str] = MappingProxyType({})


class Cell(ABC):
    """Computes one time step of a recurrent layer, and its derivative. All numbers are in `params` and the tape."""

    gates: Mapping[str, float]
    """The H-wide blocks of a pre-activation, a letter for each, in the order of W's columns; and the scale that `step`
    wants it in: SIGMOID, TANH or AS_IT_IS. A candidate counts as a gate."""
    parts: tuple[str, ...] = ()
    """The gates that a step works on in one call, as a word of their letters: "ifg", "o". If empty, each by itself."""
    state: tuple[str, ...] = ("h",)
    """What crosses time."""
    vectors: tuple[str, ...] = ()
    """Parameters of shape (H,) beyond W and b; they begin at zero, but for those among `state_biases`."""
    state_biases: Mapping[str, str] = NO_NAMES
    """Which of `vectors` are biases, each with its gate: of a product with the state that stands apart. Where both
    products are simply added, one bias serves both."""
    matrices: Mapping[str, int] = NOTHING
    """Parameters of shape (n*H, n*H), each with its n; they begin as the recurrent rows of W do."""
    saved: tuple[str, ...] = ()
    """Arrays (T, B, H) that `step` leaves for the backward pass beside the gates and states."""
    partials: Mapping[str, int] = NOTHING
    """What `partial_derivatives` writes, each with its size: 1 for a (B, H), or n for the n gates of a part."""
    product: ClassVar[Literal["added", "gated", "of a gated state"]] = "added"
    """What becomes of `h @ W_h`. It is "added" to the pre-activations, which then can be normalized (see `layer_norm`);
    or it is "gated": a gate is multiplied into a part of it first, so that its gradient is not da and belongs in
    `tape.dhW`; or a part of W_h has a product "of a gated state", not of h."""
    has_candidate: ClassVar[bool] = True
    """Whether the state takes up a candidate, which recurrent dropout drops; see `LayerNoise.drop_candidate`."""

    @property
    def layout(self) -> Layout:
        """The arrays that this cell wants on its tape."""
        return Layout(
            scales=tuple(self.gates.values()),
            parts=tuple(len(part) for part in self.parts or self.gates),
            state=self.state,
            saved=self.saved,
            partials=tuple(self.partials.values()),
            product=self.product,
        )

    def init_bias(self, b: Array, hidden_size: int, forget_bias: float) -> None:
        """Adds to a new layer's `b (G*H,)` what opens a forget gate: for most cells nothing."""
        return

    @abstractmethod
    def step(self, params: LayerParams, tape: Tape, t: int) -> None:
        """Writes the gates to `tape.gates[t]`, and turns the states' row t into row t + 1."""

    @abstractmethod
    def partial_derivatives(self, params: LayerParams, tape: Tape, steps: slice) -> None:
        """Fills `tape.partials_of(steps)`, in the order of `partials`."""

    @abstractmethod
    def step_backward(self, params: LayerParams, tape: Tape, t: int, dstate: LayerState) -> None:
        """Writes `tape.da[t]`; turns `dstate`, each (B, H), from the gradient of row t + 1 into that of row t."""

    def param_grads(self, params: LayerParams, tape: Tape, grads: LayerParams) -> None:
        """Writes the gradient of W_h, the first H rows of W, and of what the cell adds beyond W and b."""
        product_grads(tape.read[:-1], tape.dhW, grads["W"][: tape.read.shape[-1]])
