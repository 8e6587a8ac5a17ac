"""Tensor parallelism: several processes compute one network for the same rows, each of them some of its units.

A layer's step is a product, `a = x @ W_x + h @ W_h + b`, and then elementwise work in which no unit meets another. So
let each of n processes, the *members*, own H/n units of every layer, with their columns of W: one for each gate of a
unit. Of member p these columns are W_h[:, p], and a[p] is what belongs to its units:

    forward    a[p] = h @ W_h[:, p]                    reads the h of all units, and makes that of its own
    backward   dh = sum over p of da[p] @ W_h[:, p].T  makes a term of the dh of all units; reads all terms of its own
    gradient   dW_h[:, p] = h.T @ da[p]                reads the h of all units; nobody else writes these columns

No product is computed twice. Two things cross between members, at every step: on the way forward each gathers what all
have made (an *all-gather* of h), and on the way back each gets the sum of all terms for its own part (a
*reduce-scatter* of dh). Both are done in memory that all see: each writes what is its own, all *meet*, that is none
goes on until all have arrived, and each reads what it needs. (Members could also gather da and multiply by the rows
W_h[p], and no sum would be needed; but da is G times as much to read from the cache of another core.) These are all
places where they meet, in the order of a batch:

    `SharedTape.multiply_state`          before each step, whose product reads the h of all
    `SharedTape.output`                  after the last step: the layer above reads the output of all
    `Section._output_layer`              each has done the softmax of some of the T*B rows; now of all, for its units
    `SharedTape.backward_state_product`  at each step back, between the terms and their sum
    `SharedTape.backward_input_product`  before the layer below: `da @ W_x.T`, for its part of x, reads the da of all

Beside that, rows can be split (`charrnn.training.teamwork`): then each group of processes has its own rows, and
gradients must be added. Splitting units keeps the products of a step wide in rows. BLAS copies a matrix of weights into
an order of its own for each product, which is much of the work where the rows are few, and here each member copies 1/n
of it.

The scheme is that of Megatron-LM (Shoeybi et al. 2019, arXiv 1909.08053) taken to a layer that depends on its own
output: there a sum over processes ends a block, and here every step begins with a gathered state.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from charrnn.arrays import Array, Batch
from charrnn.nn import head, unroll
from charrnn.nn.layout import Layout, split
from charrnn.nn.model import CharLM
from charrnn.nn.noise import Noise
from charrnn.nn.numerics import IN_CACHE, overflow_allowed
from charrnn.nn.parameters import LayerParams, Parameters
from charrnn.nn.partner import Partner
from charrnn.nn.stack import Stack, State, padding_of
from charrnn.nn.state_products import Empty
from charrnn.nn.tape import LayerState, Tape
from charrnn.nn.tiles import add_all, columns_at_once, parts, transpose_into_tiles
from charrnn.nn.workspace import Workspace, Workspaces

LEAST_ROWS_OF_INPUT = 512
"""Rows of the input product of a higher layer that are multiplied at once, at least: a large product is a fast one."""


class SharedTape(Tape):
    """Is a tape of the H units of one member: h and da are views of arrays of all R units, which all members see.

    In those of da and dhW, (T, B, G*R), the columns of each member are side by side, gate after gate: so its own are a
    matrix that BLAS takes as it is.
    """

    def __init__(
        self,
        layout: Layout,
        shape: tuple[int, int, int],
        dtype: npt.DTypeLike,
        empty: Empty,
        member: Partner,
        whole: dict[str, Array],
    ) -> None:
        """`shape` is (T, B, R), and `whole` has the arrays of all units by name: h (T + 1, B, R), da, perhaps dhW."""
        T, B, R = shape
        self.member, self.whole, self.own = member, whole, member.part(R)
        super().__init__(layout, T, B, self.own.stop - self.own.start, dtype, empty)
        # `x @ W_x + b` has memory of its own, for a few steps at a time: those of da are not one block here.
        steps = max(1, min(T, max(IN_CACHE // self.da[0].size, LEAST_ROWS_OF_INPUT // B)))
        self.xW = empty((steps, B, self.da.shape[-1]), self.dtype)
        self.xW_blocks = (self.gates_first(self.xW) * (T // steps + 1))[:T]
        self.xW_parts = [split(block, layout.parts) for block in self.xW_blocks]

    def memory_of(self, name: str, steps: int, width: int) -> Array:
        """Returns what is our own of an array of all units; or memory that is only ours."""
        if name not in self.whole:
            return super().memory_of(name, steps, width)
        gates = width // self.hidden_size
        return self.whole[name][:, :, gates * self.own.start : gates * self.own.stop]

    @property
    def read(self) -> Array:
        """What the product with W_h reads: the states h of all units, (T + 1, B, R)."""
        return self.whole["h"]

    def own_columns(self, W: Array) -> Array:
        """Returns a view of `W (..., G*R)`: the columns of each gate that belong to our units, (..., G, H)."""
        return W.reshape(*W.shape[:-1], -1, self.read.shape[-1])[..., self.own]

    def transposed_state_rows(self, W: Array) -> Array:
        """Returns the transpose of our columns of the rows of W that meet the state: (parts, 1, n, G*H/parts, R/n)."""
        own = self.own_columns(W[: self.read.shape[-1]])
        if self.shape[1] > 1:
            return transpose_into_tiles(own, self._W_hT)
        copy = self._named("W_hT", (len(own), own[0].size))  # a product with one row is as fast with a view
        copy.reshape(own.shape)[...] = own
        return copy.T[None, None, None]

    def parts_of_sum(self) -> int:
        """Returns in how many parts the gates are, whose products with the transpose of W_h are added up."""
        return len(self.whole["dh"][0]) // self.member.members

    def transposed(self, W: Array, name: str) -> Array:
        """Returns the transpose of `W (N, G*R)`: (G*R, N), with the rows in the order of the columns of da."""
        N, R = len(W), self.read.shape[-1]
        G = W.shape[1] // R
        W = W.reshape(N, G, R)
        out = self._named(name, (G * R, N))
        for number in range(self.member.members):
            units = self.member.part(R, number)
            block = out[G * units.start : G * units.stop].reshape(G, units.stop - units.start, N)
            for columns in columns_at_once(N):
                block[:, :, columns] = W[columns, :, units].transpose(1, 2, 0)
        return out

    def multiply_state(self, t: int) -> Array:
        """Computes `a[t] = h[t] @ W_h` for our units, once all have written their h[t]."""
        self.member.meet()
        return super().multiply_state(t)

    def _allocate_backward(self) -> None:
        super()._allocate_backward()
        terms = self.whole["dh"]
        ours = self.member.number * self.parts_of_sum()
        self._terms_of_ours = list(terms[:, ours : ours + self.parts_of_sum()])
        self._terms_of_all = [list(of_step) for of_step in terms[..., self.own]]

    def backward_state_product(self, t: int, dh: Array) -> None:
        """Writes to `dh (B, H)` the gradient that reaches our units of `h[t]`: the sum of the terms of all members."""
        # Two steps take turns in the memory of the terms, and one meeting a step is enough: who writes those of step
        # t - 2 has met all at step t - 1, so all have read those of step t.
        self.multiply_back(t, self._terms_of_ours[t % 2])
        self.member.meet()
        add_all(self._terms_of_all[t % 2], dh)

    def backward_input_product(self, W_x: Array, dx: Array) -> None:
        """Writes to `dx (T, B, n)` the gradient of our part of x, of which `W_x (D, G*R)` has the rows of all."""
        self.member.meet()  # a cell may write to da until it has its parameters' gradients
        W_xT = self.transposed(W_x[self.member.part(len(W_x))], "W_xT")
        np.matmul(self.whole["da"].reshape(-1, len(W_xT)), W_xT, out=dx.reshape(self.shape[0] * self.shape[1], -1))

    def output(self, mask: Array | None) -> Array:
        """Returns the output of all units, (T, B, R), once all have written theirs: h, times the mask of dropout."""
        h = self.whole["h"][1:]
        if mask is not None:
            h = self.whole["dropped"]
            np.multiply(self.state["h"][1:], mask, h[..., self.own])
        self.member.meet()
        return h


@dataclass(frozen=True)
class SharedLayers:
    """Is what a member has in place of a `Stack`, for a workspace: tapes of its units."""

    stack: Stack
    member: Partner
    outputs: int
    drops: bool
    place: str = ""

    def mean_noise(self) -> Noise:
        """Returns what stands in for noise where none is drawn."""
        return self.stack.mean_noise()

    def tapes(self, seq_length: int, batch_size: int, dtype: npt.DTypeLike, empty: Empty) -> list[SharedTape]:
        """Returns a tape for each layer, over memory that all members see; the top one has the logits too."""
        T, B, R = seq_length, batch_size, self.stack.hidden_size
        layout = self.stack.cell.layout
        G, members = len(layout.scales), self.member.members
        terms = members * parts(B, G, -(-R // members), dtype)
        shapes = {"h": (T + 1, B, R), "da": (T, B, G * R), "dh": (2, terms, B, R)}
        if layout.product_is_gated:
            shapes["dhW"] = shapes["da"]
        if self.drops:
            shapes["dropped"] = (T, B, R)
        kind, layers = np.dtype(dtype).str, self.stack.num_layers
        wanted = [(shape, kind) for _ in range(layers) for shape in shapes.values()]
        arrays = list(self.member.shared([*wanted, ((T * B, self.outputs), kind)]))
        tapes = []
        for layer in range(layers):
            whole = dict(zip(shapes, arrays[layer * len(shapes) :], strict=False))
            tapes.append(SharedTape(layout, (T, B, R), dtype, empty, self.member, whole))  # type: ignore[arg-type]
        tapes[0].side_size = self.stack.side_size
        tapes[-1].whole["logits"] = arrays[-1]  # type: ignore[assignment]
        return tapes


class Section:
    """Is one member's section of a network that answers at each step, in one direction (`CharLM.splits_units`)."""

    def __init__(self, model: CharLM, params: Parameters, grads: Parameters, member: Partner) -> None:
        """`params` and `grads` are those of the whole network, and all members see them."""
        stack = self.stack = model.stack
        self.params, self.grads, self.member = params, grads, member
        self.units = member.part(stack.hidden_size)
        self.layers = SharedLayers(stack, member, model.num_outputs, model.dropout > 0)
        self._workspaces = Workspaces()
        count = self.units.stop - self.units.start
        self.own_params = [self._own(params, prefix) for prefix in stack.prefixes]
        self.own_grads = [self._own(grads, prefix) for prefix in stack.prefixes]
        for own in self.own_grads:  # our columns of W are not one block; the others are views of `grads`
            G = own["b"].size // stack.hidden_size
            own["W"] = np.zeros((len(own["W"]), G * count), grads.vector.dtype)
            own["b"] = np.zeros(G * count, grads.vector.dtype)

    def _own(self, arrays: Parameters, prefix: str) -> LayerParams:
        """Returns the arrays of one layer: W and b as they are, as tapes take their columns of them; else our part."""
        named = self.stack.layer_params(arrays, prefix)
        return {name: array if name in ("W", "b") else array[..., self.units] for name, array in named.items()}

    def loss_and_grads(self, batch: Batch, state: State, noise: Noise | None, count: float) -> tuple[float, State]:
        """Returns our part of the loss, and our units of the state after the batch; writes our part of the gradients.

        What is given is of all units: `state` the state before, `noise` what is random in the batch. The loss of the
        batch, a mean over `count` answers, is the sum of all members' parts.
        """
        space = self._workspaces.get(self.layers, batch.x.shape, self.params.vector.dtype)
        own_noise = [layer.units(self.units) for layer in noise or space.mean_noise]
        with overflow_allowed():
            h = self._forward(batch, state, own_noise, space)
            loss, dh = self._output_layer(h, batch, count, space)
            self._backward(dh, own_noise, space)
        return loss, space.final_state()

    def _forward(self, batch: Batch, state: State, noise: Noise, space: Workspace) -> Array:
        """Returns the output of the top layer, of all units, (T, B, R)."""
        T, B = batch.x.shape
        starts = np.ones(B, bool) if batch.starts is None else batch.starts
        padding, side = padding_of(batch.lengths, T), batch.labels
        space.tapes[0].ids = batch.x
        x = self.params[self.stack.embedding][batch.x] if self.stack.embedding_size else batch.x
        for k, tape in enumerate(space.tapes):
            before = self._before(state[k] if state else None, tape)
            given = self.stack.cell, self.own_params[k], x, before, starts, tape, noise[k]
            unroll.forward(*given, padding=padding, side=side)
            x, side = tape.output(noise[k].output_mask), None  # type: ignore[attr-defined]
        return x

    def _before(self, state: LayerState | None, tape: Tape) -> LayerState:
        """Returns our units of the state that a layer begins from; zero where every row is an item of its own."""
        if state is None:
            return {name: np.zeros_like(rows[0]) for name, rows in tape.state.items()}
        return {name: array[:, self.units] for name, array in state.items()}

    def _output_layer(self, h: Array, batch: Batch, count: float, space: Workspace) -> tuple[float, Array]:
        """Returns our rows' part of the loss, and the gradient of our units of h: (T, B, H)."""
        logits, (W, b) = space.tapes[-1].whole["logits"], (self.params["head.W"], self.params["head.b"])  # type: ignore[attr-defined]
        dW, db = self.grads["head.W"], self.grads["head.b"]
        h = h.reshape(len(logits), -1)
        # Of some of the rows, all outputs: a softmax needs them together ...
        rows = self.member.part(len(logits))
        weights = None if batch.weights is None else batch.weights.ravel()[rows].astype(logits.dtype)
        head.affine(h[rows], W, b, out=logits[rows])
        loss = head.cross_entropy_(logits[rows], batch.y.ravel()[rows], count, weights)
        self.member.meet()
        # ... and of all rows, our units, as in every layer; `logits` has become its own gradient.
        outputs = self.member.part(len(b))
        np.sum(logits[:, outputs], axis=0, out=db[outputs])
        np.matmul(h[:, self.units].T, logits, out=dW[self.units])
        dh = space.array("dh", (len(h), self.units.stop - self.units.start))
        np.matmul(logits, W[self.units].T, out=dh)
        return loss, dh.reshape(*batch.x.shape, -1)

    def _backward(self, dh: Array, noise: Noise, space: Workspace) -> None:
        """Writes our part of the gradients of all layers, from `dh (T, B, H)`, that of our units of the output."""
        dstate, E = space.zero_dstate(), self.stack.embedding_size
        columns = self.member.part(E or 0)
        for k in reversed(range(len(space.tapes))):
            tape, own = space.tapes[k], self.own_grads[k]
            if noise[k].output_mask is not None:
                dh *= noise[k].output_mask
            dx: Array | None = dh
            if not k:
                dx = np.empty((*dh.shape[:2], columns.stop - columns.start), dh.dtype) if E else None
            unroll.backward(self.stack.cell, self.own_params[k], dh, dstate[k], tape, own, dx)
            whole = self.stack.layer_params(self.grads, self.stack.prefixes[k])
            for name in ("W", "b"):
                columns_of_ours = tape.own_columns(whole[name])
                columns_of_ours[...] = own[name].reshape(columns_of_ours.shape)
        if E and dx is not None:
            rows = dx.reshape(len(space.tapes[0].ids.ravel()), -1)
            of_ours = self.grads[self.stack.embedding][:, columns]
            unroll.add_rows(rows, space.tapes[0].ids.ravel(), of_ours, scratch=np.empty_like(rows))
