"""Layers on top of each other, with dropout between them and never on the way from h[t-1] to h[t]."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from charrnn.nn import cells, dropout, initializers, unroll
from charrnn.nn.cells.base import LayerParams, Tape
from charrnn.nn.numerics import Array
from charrnn.nn.parameters import Shapes

State = list[LayerParams]
"""For each layer, from the input up, an array (B, H) for each name in the cell's `state`: h, and for the LSTM c."""

Masks = list[Array | None]
"""Dropout masks: one for the input of each layer (None for the first) and one for the stack's output; (T, B, H)."""


@dataclass(frozen=True)
class Stack:
    """`num_layers` layers of one cell; the first reads ids (T, B) below `input_size`, the others the layer beneath."""

    cell: cells.Cell
    input_size: int
    hidden_size: int
    num_layers: int
    learned_state: bool

    def shapes(self) -> Shapes:
        """Name and shape of each parameter: `layers.0.W`, `layers.0.b`, ..."""
        named: Shapes = {}
        for layer in range(self.num_layers):
            D = self.hidden_size if layer else self.input_size
            for name, shape in unroll.shapes(self.cell, D, self.hidden_size, self.learned_state).items():
                named[f"layers.{layer}.{name}"] = shape
        return named

    def layer_params(self, params: dict[str, Array], layer: int) -> LayerParams:
        """The parameters of one layer (or their gradients) under their short names: W, b, ..."""
        prefix = f"layers.{layer}."
        return {k.removeprefix(prefix): v for k, v in params.items() if k.startswith(prefix)}

    def init_params(
        self,
        params: dict[str, Array],
        rng: np.random.Generator,
        init: str,
        init_scale: float,
        forget_bias: float,
    ) -> None:
        """Fills `params`, which are zero."""
        for layer in range(self.num_layers):
            p = self.layer_params(params, layer)
            initializers.init_layer(rng, p["W"], self.hidden_size, init, init_scale)
            self.cell.init_bias(p["b"], self.hidden_size, forget_bias)

    def zero_state(self, batch_size: int, dtype: npt.DTypeLike) -> State:
        """The state before any text, and the gradient of a final state that nothing follows."""
        return [
            {name: np.zeros((batch_size, self.hidden_size), dtype) for name in self.cell.state}
            for _ in range(self.num_layers)
        ]

    def tapes(self, seq_length: int, batch_size: int, dtype: npt.DTypeLike) -> list[Tape]:
        """A tape for each layer."""
        return [Tape(self.cell, seq_length, batch_size, self.hidden_size, dtype) for _ in range(self.num_layers)]

    def masks(
        self,
        rng: np.random.Generator,
        seq_length: int,
        batch_size: int,
        probability: float,
        dtype: npt.DTypeLike,
    ) -> Masks | None:
        """New dropout masks for one window; None where the probability is 0."""
        if probability == 0:
            return None
        shape = seq_length, batch_size, self.hidden_size
        drawn = [dropout.mask(rng, shape, probability, dtype) for _ in range(self.num_layers)]
        return [None, *drawn]

    def forward(
        self,
        params: dict[str, Array],
        ids: Array,
        state: State,
        starts: Array,
        tapes: list[Tape],
        masks: Masks | None,
    ) -> Array:
        """Returns the output of the top layer (T, B, H), a view of the tapes; they keep what `backward` needs."""
        x = ids
        masks = masks or [None] * (self.num_layers + 1)
        for layer, tape in enumerate(tapes):
            h = unroll.forward(self.cell, self.layer_params(params, layer), x, state[layer], starts, tape)
            mask = masks[layer + 1]
            x = h if mask is None else np.multiply(h, mask, tape.dropped)
        return x

    def backward(
        self,
        params: dict[str, Array],
        dh: Array,
        dstate: State,
        tapes: list[Tape],
        masks: Masks | None,
        grads: dict[str, Array],
    ) -> None:
        """The exact derivative of `forward`. `dh (T, B, H)` is the gradient of its output, `dstate` of its final state.

        Writes to `grads`, and turns `dstate` into the gradient of the state that `forward` was given. `dh` is used up.
        """
        masks = masks or [None] * (self.num_layers + 1)
        for layer in reversed(range(self.num_layers)):
            mask = masks[layer + 1]
            if mask is not None:
                dh *= mask
            p, g = self.layer_params(params, layer), self.layer_params(grads, layer)
            unroll.backward(self.cell, p, dh, dstate[layer], tapes[layer], g, dh if layer else None)
