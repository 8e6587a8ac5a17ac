"""The textbook's network from the arrays of a checkpoint, which have other names and stand side by side.

    layers.0.W      (H + D, G*H)   the matrices of all gates, in the order of the table `CELLS`
    layers.0.b      (G*H,)         their biases; so is layers.0.gain, of layer normalization
    layers.0.h0     (H,)           a learned initial state, and so c0, ...
    layers.0.p_i, ...              what a cell has beyond W and b, as it is
    head.W, head.b                 W_y and b_y

A layer that reads in both directions has `layers.0.reverse.W` and so on for the one from the end.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from charrnn import textbook
from charrnn.arrays import Array, Ids
from charrnn.textbook.base import Cell, State, Weights
from charrnn.textbook.functions import cross_entropy
from charrnn.textbook.layers import Dropout, Layer, Recurrent, Reversed, SideBySide
from charrnn.textbook.net import Net
from charrnn.textbook.regularizers import LayerNorm, Zoneout, dropped

PACKED = ("W", "b", "gain")
"""What has a block of columns for each gate."""


@dataclass
class Drawn:
    """Holds what is random in one layer and direction; what is None or empty is off."""

    candidate_mask: Array | None = None
    """What the candidate is multiplied by: (T, B, H)."""
    zoneout: Mapping[str, Array] = dataclasses.field(default_factory=dict)
    """By the state's name, the share of it that stays: (T, B, H)."""
    output_mask: Array | None = None
    """What the layer's output is multiplied by, in both directions: (T, B, .). That of a reverse layer is not read."""


@dataclass
class Network:
    """Holds a net over one batch, with all that it reads, in the names of a checkpoint."""

    params: Mapping[str, Array]
    cell: str
    activation: str
    num_layers: int
    state: list[State]
    """For each layer, or for each of its directions, forward first: the state before the batch."""
    starts: Array
    """Which rows begin a text and so begin with the learned state, where there is one: bools (B,)."""
    drawn: list[Drawn]
    """What is random, for each entry of `state`."""
    bidirectional: bool = False

    def __post_init__(self) -> None:
        ways = ("", "reverse.") if self.bidirectional else ("",)
        self.prefixes = [f"layers.{layer}.{way}" for layer in range(self.num_layers) for way in ways]

    def build(self, seq_length: int) -> None:
        """Makes `net`, and `recurrent`, the layers in it that have parameters."""
        self.recurrent = [self.recurrent_layer(k, seq_length) for k in range(len(self.prefixes))]
        layers: list[Layer] = []
        for layer in range(self.num_layers):
            if self.bidirectional:
                forward, reverse = self.recurrent[2 * layer : 2 * layer + 2]
                layers.append(SideBySide([forward, Reversed(reverse)]))
            else:
                layers.append(self.recurrent[layer])
            mask = self.drawn[len(self.drawn) // self.num_layers * layer].output_mask
            if mask is not None:
                layers.append(Dropout(mask))
        W_y, b_y = self.params["head.W"], self.params["head.b"]
        H = self.state[0]["h"].shape[1]
        self.net = Net(layers, {"W_y": W_y, "b_y": b_y}, symbols=len(self.params["layers.0.W"]) - H)

    def recurrent_layer(self, k: int, seq_length: int) -> Recurrent:
        """Returns the k-th recurrent layer, with its own cell for every step."""
        own = self.unpacked(k)
        times = range(seq_length)
        if self.bidirectional and k % 2 == 1:
            times = times[::-1]  # masks are in the order of the text
        steps = [self.step(self.drawn[k], t, any(name.startswith("gain_") for name in own)) for t in times]
        first = {
            name: np.where(self.learned(k, name)[:, None], own.get(f"{name}0", s), s)
            for name, s in self.state[k].items()
        }
        return Recurrent(steps, own, first)

    def step(self, drawn: Drawn, t: int, normalized: bool) -> Cell:
        """Returns the cell of step t, with what regularizes it around it."""
        cell: Any = textbook.build(self.cell, self.activation)
        if drawn.candidate_mask is not None:
            cell = dataclasses.replace(cell, candidate=dropped(cell.candidate, drawn.candidate_mask[t]))
        if normalized:
            cell = LayerNorm(cell)
        if drawn.zoneout:
            cell = Zoneout(cell, {name: z[t] for name, z in drawn.zoneout.items()})
        found: Cell = cell
        return found

    def learned(self, k: int, name: str) -> Array:
        """Tells which rows begin with a learned state: bools (B,)."""
        return self.starts & (f"{self.prefixes[k]}{name}0" in self.params)

    def unpacked(self, k: int) -> Weights:
        """Returns the parameters of the k-th recurrent layer, in the textbook's names."""
        own: Weights = {}
        gates = textbook.CELLS[self.cell][2].split()
        for name, array in self.params.items():
            short = name.removeprefix(self.prefixes[k])
            if not name.startswith(self.prefixes[k]) or "." in short:
                continue
            if short in PACKED:
                blocks = np.split(array, len(gates), axis=-1)
                own |= {f"{short}_{gate}": block for gate, block in zip(gates, blocks, strict=True)}
            else:
                own[short] = array
        return own

    def packed(self, k: int, grads: Weights) -> Weights:
        """Returns the gradients of the k-th recurrent layer, in the names of a checkpoint."""
        gates = textbook.CELLS[self.cell][2].split()
        found = {}
        for name in self.params:
            short = name.removeprefix(self.prefixes[k])
            if name.startswith(self.prefixes[k]) and "." not in short:
                blocks = [grads[f"{short}_{gate}"] for gate in gates] if short in PACKED else [grads[short]]
                found[name] = np.concatenate(blocks, axis=-1)
        return found

    def forward(self, ids: Ids) -> tuple[Array, list[State]]:
        """Returns logits (T, B, V), and the state after the batch."""
        self.build(len(ids))
        return self.net.forward(ids), [layer.final for layer in self.recurrent]

    def loss_and_grads(
        self,
        ids: Ids,
        targets: Ids,
        dfinal: list[State] | None = None,
        dlogits_extra: Array | None = None,
        weights: Array | None = None,
    ) -> tuple[float, Weights, list[State], list[State]]:
        """Returns the loss, the gradients of the parameters and of the state before, and the state after the batch.

        `dfinal` and `dlogits_extra` are the gradients that the final state and the logits have from elsewhere.
        """
        logits, final = self.forward(ids)
        loss, dlogits = cross_entropy(logits, targets, weights)
        if dfinal is not None:
            for layer, given in zip(self.recurrent, dfinal, strict=True):
                layer.dstate = {name: given[name] for name in layer.dstate}
        of_head = self.net.backward(dlogits if dlogits_extra is None else dlogits + dlogits_extra)
        grads = {"head.W": of_head["W_y"], "head.b": of_head["b_y"]}
        dstate: list[State] = []
        for k, layer in enumerate(self.recurrent):
            came_in = {}
            for name, d in layer.dstate.items():
                learned = self.learned(k, name)
                if f"{name}0" in layer.grads:
                    layer.grads[f"{name}0"] = d[learned].sum(axis=0)
                came_in[name] = np.where(learned[:, None], 0, d)
            dstate.append(came_in)
            grads |= self.packed(k, layer.grads)
        return loss, {name: grads[name] for name in self.params}, dstate, final
