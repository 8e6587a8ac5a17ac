"""Layers on top of each other, each in one direction or in both, with dropout between them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from charrnn.arrays import Array
from charrnn.nn import initializers, unroll
from charrnn.nn.cells.base import Cell
from charrnn.nn.layer_norm import NormalizedTape
from charrnn.nn.noise import LayerNoise, Noise
from charrnn.nn.parameters import LayerParams, Shapes
from charrnn.nn.tape import LayerState, Tape

State = list[LayerState]
"""For each layer, from the input up, an array (B, H) for each name in the cell's `state`: h, and for the LSTM c. A
layer that reads in both directions has two entries, forward and reverse."""


@dataclass(frozen=True)
class Stack:
    """Runs `num_layers` layers of one cell: the first reads ids (T, B) below `input_size`, each other the one beneath.

    The output is (T, B, H), or where layers read in both directions (T, B, 2H), the two side by side.
    """

    cell: Cell
    input_size: int
    hidden_size: int
    num_layers: int
    learned_state: bool
    layer_norm: bool = False
    bidirectional: bool = False
    zoneout: dict[str, float] = field(default_factory=dict)
    """By the state's name, the probability that a unit keeps its old value for a step."""

    @property
    def output_size(self) -> int:
        """H, or 2H where layers read in both directions."""
        return self.hidden_size * (2 if self.bidirectional else 1)

    @property
    def state_size(self) -> int:
        """S, numbers in one row of a state: of all its entries."""
        return len(self.prefixes) * len(self.cell.state) * self.hidden_size

    @cached_property
    def prefixes(self) -> list[str]:
        """How the names of parameters begin, for each entry of a state: `layers.0.`, and `layers.0.reverse.`, ..."""
        directions = ("", "reverse.") if self.bidirectional else ("",)
        return [f"layers.{layer}.{direction}" for layer in range(self.num_layers) for direction in directions]

    def shapes(self) -> Shapes:
        """Returns the name and shape of each parameter: `layers.0.W`, `layers.0.b`, ..."""
        named: Shapes = {}
        for prefix in self.prefixes:
            D = self.input_size if prefix.startswith("layers.0.") else self.output_size
            own = unroll.shapes(self.cell, D, self.hidden_size, self.learned_state, self.layer_norm)
            named |= {prefix + name: shape for name, shape in own.items()}
        return named

    def layer_params(self, params: dict[str, Array], prefix: str) -> LayerParams:
        """Returns the parameters of one layer (or their gradients) under their short names: W, b, ..."""
        short = {name.removeprefix(prefix): array for name, array in params.items() if name.startswith(prefix)}
        return {name: array for name, array in short.items() if "." not in name}

    def init_params(
        self,
        params: dict[str, Array],
        rng: np.random.Generator,
        init: str,
        init_scale: float,
        forget_bias: float,
    ) -> None:
        """Draws the weights in `params`, which are zero before; biases stay zero but for the forget gate's."""
        fill = initializers.build(init)
        for prefix in self.prefixes:
            p = self.layer_params(params, prefix)
            fill(rng, p["W"], self.hidden_size, init_scale)
            for name, n in self.cell.matrices.items():
                for rows in np.split(p[name], n):  # each H of them meet one part of the state
                    fill(rng, rows, self.hidden_size, init_scale)
            if self.layer_norm:
                p["gain"][...] = 1
            self.cell.init_bias(p["b"], self.hidden_size, forget_bias)

    def zero_state(self, batch_size: int, dtype: npt.DTypeLike) -> State:
        """Returns a state of zeros: the one before any text, or the gradient of a final state that nothing follows."""
        return [
            {name: np.zeros((batch_size, self.hidden_size), dtype) for name in self.cell.state} for _ in self.prefixes
        ]

    def tapes(self, seq_length: int, batch_size: int, dtype: npt.DTypeLike) -> list[Tape]:
        """Returns memory for batches of one shape: a tape for each layer and direction, in the order of a state."""
        kind = NormalizedTape if self.layer_norm else Tape
        return [kind(self.cell.layout, seq_length, batch_size, self.hidden_size, dtype) for _ in self.prefixes]

    def mean_noise(self) -> Noise:
        """Returns what stands in for the noise in evaluation and sampling, where nothing is drawn: its mean.

        That is nothing for dropout and for a random initial state. Zoneout remains: each unit keeps, of its old value,
        the share that is the probability of keeping it.
        """
        return [LayerNoise(zoneout=dict(self.zoneout)) for _ in self.prefixes]

    def forward(
        self,
        params: dict[str, Array],
        ids: Array,
        state: State,
        starts: Array,
        tapes: list[Tape],
        noise: Noise,
    ) -> Array:
        """Returns the output of the top layer, a view of the tapes, which keep what `backward` needs."""
        x = ids
        for layer in range(self.num_layers):
            outputs = []
            for k in self._entries(layer):
                reverse = self._is_reverse(k)
                p = self.layer_params(params, self.prefixes[k])
                drawn = noise[k].backwards() if reverse else noise[k]
                h = unroll.forward(self.cell, p, in_reading_order(x, reverse), state[k], starts, tapes[k], drawn)
                outputs.append(in_reading_order(h, reverse))
            h = outputs[0] if len(outputs) == 1 else np.concatenate(outputs, axis=-1)
            first = self._entries(layer)[0]
            mask = noise[first].output_mask
            x = h if mask is None else np.multiply(h, mask, tapes[first].dropped(h.shape))
        return x

    def backward(
        self,
        params: dict[str, Array],
        dh: Array,
        dstate: State,
        tapes: list[Tape],
        noise: Noise,
        grads: dict[str, Array],
    ) -> None:
        """Differentiates `forward`: `dh` is the gradient of its output, `dstate` that of its final state.

        Writes to `grads`, and turns `dstate` into the gradient of the state that `forward` was given. `dh` is used up.
        """
        for layer in reversed(range(self.num_layers)):
            entries = self._entries(layer)
            mask = noise[entries[0]].output_mask
            if mask is not None:
                dh *= mask
            dx = [dh] if len(entries) == 1 else [np.empty_like(dh) for _ in entries]
            for k, dx_k in zip(entries, dx, strict=True):
                p, g = (self.layer_params(arrays, self.prefixes[k]) for arrays in (params, grads))
                reverse = self._is_reverse(k)
                own = dh[:, :, self.hidden_size :] if reverse else dh[:, :, : self.hidden_size]
                read = in_reading_order(own, reverse)
                unroll.backward(self.cell, p, read, dstate[k], tapes[k], g, dx_k if layer else None)
            if layer and self.bidirectional:
                np.add(dx[0], in_reading_order(dx[1], reverse=True), dh)

    def _entries(self, layer: int) -> range:
        """Returns which entries of a state belong to a layer: one, or one for each direction."""
        directions = len(self.prefixes) // self.num_layers
        return range(layer * directions, (layer + 1) * directions)

    def _is_reverse(self, k: int) -> bool:
        return self.bidirectional and k % 2 == 1


def in_reading_order(x: Array, reverse: bool) -> Array:
    """Returns a view of `x (T, ...)` in the order in which a layer reads: from its end, if the layer is a reverse one.

    Applied to what a layer has made, it gives the order of the text again.
    """
    return x[::-1] if reverse else x
