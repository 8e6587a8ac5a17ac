"""Layers on top of each other, each in one direction or in both, with dropout between them."""

from __future__ import annotations

import itertools
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
from charrnn.nn.state_products import Empty
from charrnn.nn.tape import LayerState, Padding, Tape

State = list[LayerState]
"""For each layer, from the input up, an array (B, H) for each name in the cell's `state`: h, and for the LSTM c. A
layer that reads in both directions has two entries, forward and reverse."""


@dataclass(frozen=True)
class Stack:
    """Runs `num_layers` layers of one cell: the first reads ids (T, B) below `input_size`, each other the one beneath.

    The output is (T, B, H), or where layers read in both directions (T, B, 2H), the two side by side. Rows that are
    shorter than T keep their state from their end on, so that it is also their final one; and as a layer that reads
    from the end keeps its initial state until it meets a row's last symbol, no padding has a part in anything.
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
    embedding_size: int | None = None
    """E, the width of the vectors that ids choose before the first layer; None where they choose rows of its W."""
    side_size: int = 0
    """How many rows of the first layer's W meet what it reads at every step beside its input."""
    place: str = ""
    """What the names of all parameters begin with, where a network has several stacks."""

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
        layers = [f"{self.place}layers.{layer}." for layer in range(self.num_layers)]
        return [layer + direction for layer in layers for direction in directions]

    @property
    def embedding(self) -> str:
        """The name of the matrix (V, E) of embeddings, where there is one."""
        return f"{self.place}embedding"

    @property
    def symbol_rows(self) -> dict[str, int]:
        """By name, the parameters that have a row for each symbol that is read, and where the first of them stands."""
        if self.embedding_size:
            return {self.embedding: 0}
        return {f"{prefix}W": self.hidden_size for prefix in self.prefixes[: len(self._entries(0))]}

    def shapes(self) -> Shapes:
        """Returns the name and shape of each parameter: `layers.0.W`, `layers.0.b`, ..."""
        named: Shapes = {}
        if self.embedding_size:
            named[self.embedding] = self.input_size, self.embedding_size
        for k, prefix in enumerate(self.prefixes):
            first = k in self._entries(0)
            D = (self.embedding_size or self.input_size) + self.side_size if first else self.output_size
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
        if self.embedding_size:
            drawn = rng.standard_normal(params[self.embedding].shape)
            params[self.embedding][...] = drawn / np.sqrt(self.embedding_size)  # vectors of length 1, about
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

    def tapes(self, seq_length: int, batch_size: int, dtype: npt.DTypeLike, empty: Empty = np.empty) -> list[Tape]:
        """Returns memory for batches of one shape: a tape for each layer and direction, in the order of a state."""
        kind = NormalizedTape if self.layer_norm else Tape
        sizes = seq_length, batch_size, self.hidden_size
        tapes = [kind(self.cell.layout, *sizes, dtype, empty) for _ in self.prefixes]
        for k in self._entries(0):
            tapes[k].side_size = self.side_size
        return tapes

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
        *,
        lengths: Array | None = None,
        side: Array | None = None,
    ) -> Array:
        """Returns the output of the top layer, a view of the tapes, which keep what `backward` needs.

        `lengths (B,)` says how many steps each row has, all where it is None; `side` is what the first layer reads at
        every step beside `ids`: other ids (B,), or vectors (B, C).
        """
        tapes[0].ids = ids
        x = params[self.embedding][ids] if self.embedding_size else ids
        padding = padding_of(lengths, len(ids))
        for layer in range(self.num_layers):
            outputs = []
            for k in self._entries(layer):
                reverse = self._is_reverse(k)
                p = self.layer_params(params, self.prefixes[k])
                drawn = noise[k].backwards() if reverse else noise[k]
                ended = padding and (padding[::-1] if reverse else padding)
                read = in_reading_order(x, reverse)
                h = unroll.forward(self.cell, p, read, state[k], starts, tapes[k], drawn, padding=ended, side=side)
                outputs.append(in_reading_order(h, reverse))
            h = outputs[0] if len(outputs) == 1 else np.concatenate(outputs, axis=-1)
            first, side = self._entries(layer)[0], None
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
    ) -> Array | None:
        """Differentiates `forward`: `dh` is the gradient of its output, `dstate` that of its final state.

        Writes to `grads`, and turns `dstate` into the gradient of the state that `forward` was given. `dh` is used up.
        Returns the gradient of `side`, (B, C), where that was vectors.
        """
        for layer in reversed(range(self.num_layers)):
            entries = self._entries(layer)
            mask = noise[entries[0]].output_mask
            if mask is not None:
                dh *= mask
            width = dh.shape[-1] if layer else self.embedding_size
            if layer and len(entries) == 1:
                dx = [dh]
            else:
                dx = [np.empty((*dh.shape[:2], width), dh.dtype) for _ in entries] if width else []
            for k, dx_k in itertools.zip_longest(entries, dx):
                p, g = (self.layer_params(arrays, self.prefixes[k]) for arrays in (params, grads))
                reverse = self._is_reverse(k)
                own = dh[:, :, self.hidden_size :] if reverse else dh[:, :, : self.hidden_size]
                unroll.backward(self.cell, p, in_reading_order(own, reverse), dstate[k], tapes[k], g, dx_k)
            if dx:
                dh = dx[0] if len(dx) == 1 else np.add(dx[0], in_reading_order(dx[1], reverse=True), dx[0])
        if self.embedding_size:
            rows = dh.reshape(-1, self.embedding_size)
            unroll.add_rows(rows, tapes[0].ids.ravel(), grads[self.embedding], scratch=np.empty_like(rows))
        dside = [d for k in self._entries(0) if (d := tapes[k].dside) is not None]
        return np.sum(dside, axis=0) if dside else None

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


def padding_of(lengths: Array | None, seq_length: int) -> Padding | None:
    """Returns, for each of T steps, which rows of `lengths (B,)` have ended before it; None where none ever has."""
    if lengths is None or lengths.min(initial=seq_length) >= seq_length:
        return None
    return [rows if len(rows := np.flatnonzero(lengths <= t)) else None for t in range(seq_length)]
