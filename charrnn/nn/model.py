"""The network that answers at each step: ids -> stack of recurrent layers -> output layer -> loss, and back."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from charrnn.arrays import Array, Batch
from charrnn.nn import head
from charrnn.nn.network import Network
from charrnn.nn.noise import Noise
from charrnn.nn.numerics import overflow_allowed
from charrnn.nn.parameters import Shapes
from charrnn.nn.stack import Stack, State
from charrnn.nn.workspace import Workspace


@dataclass(frozen=True)
class CharLM(Network):
    """Gives an answer at each step: the next symbol as a language model, or with `outputs` one of another kind.

    A bidirectional one sees what comes, and so predicts no text.
    """

    vocab_size: int
    """V, symbols that are read."""
    outputs: int | None = field(default=None, kw_only=True)
    """Answers to choose from at each step; None where they are the symbols that are read."""
    labels: int = field(default=0, kw_only=True)
    """K, things that a row can be told at every step beside its symbols; each has a row of W in the first layer."""

    @cached_property
    def stack(self) -> Stack:
        """The recurrent layers."""
        return self.stack_over(self.vocab_size, bidirectional=self.bidirectional, side_size=self.labels)

    @property
    def stacks(self) -> list[Stack]:
        """The recurrent layers."""
        return [self.stack]

    @property
    def splits_units(self) -> bool:
        """Whether a step has one product with W_h, whose columns belong to a unit each, and reads in one direction."""
        cell = self.stack.cell
        one_product = cell.product in ("added", "gated") and not cell.matrices
        return one_product and not self.layer_norm and not self.bidirectional

    @property
    def num_outputs(self) -> int:
        """How many answers there are to choose from."""
        return self.outputs or self.vocab_size

    @property
    def above(self) -> Shapes:
        """The output layer."""
        return {f"head.{k}": shape for k, shape in head.shapes(self.stack.output_size, self.num_outputs).items()}

    @property
    def state_size(self) -> int:
        """S, numbers in one row of a state."""
        return self.stack.state_size

    def zero_state(self, batch_size: int, dtype: npt.DTypeLike = np.float32) -> State:
        """Returns a state of zeros for `batch_size` rows."""
        return self.stack.zero_state(batch_size, dtype)

    def noise(
        self, rng: np.random.Generator, seq_length: int, batch_size: int, dtype: npt.DTypeLike = np.float32
    ) -> Noise | None:
        """Draws what is random in one batch of training, which is (T, B); None where nothing is."""
        ids = np.empty((seq_length, batch_size), np.uint8)
        return self.layer_noise(self.stack, rng, ids, dtype) if self.is_noisy else None

    def forward(
        self,
        params: dict[str, Array],
        ids: Array,
        state: State,
        starts: Array | None = None,
        noise: Noise | None = None,
        *,
        lengths: Array | None = None,
        labels: Array | None = None,
    ) -> tuple[Array, State]:
        """Returns logits (T, B, V) for the character after each of `ids (T, B)`, and the state after the last.

        The ids must be below V; this is not checked. Rows b with `starts[b]` begin a text: their state is the initial
        one, whatever `state` says. `lengths` and `labels` are those of `Batch`. The final state is new memory, the
        caller's to keep.
        """
        starts = np.zeros(ids.shape[1], bool) if starts is None else starts
        batch = Batch(ids, ids, starts, lengths=lengths, labels=labels)
        space = self._workspaces.get(self.stack, ids.shape, params["head.b"].dtype)
        with overflow_allowed():
            h = self._forward(params, batch, state, noise, space)
            logits = head.affine(h, params["head.W"], params["head.b"])
        return logits.reshape(*ids.shape, -1), space.final_state()

    def predict(self, params: dict[str, Array], batch: Batch, noise: Noise | None = None) -> Array:
        """Returns the logits (T, B, V) of a batch whose rows are items of their own."""
        logits, _ = self.forward(
            params,
            batch.x,
            self.zero_state(batch.num_rows, params["head.b"].dtype),
            np.ones(batch.num_rows, bool),
            noise,
            lengths=batch.lengths,
            labels=batch.labels,
        )
        return logits

    def loss(
        self, params: dict[str, Array], batch: Batch, state: State, noise: Noise | None = None
    ) -> tuple[Any, State]:
        """Returns the mean nats of the answers in `batch` and the final state, by the forward pass alone.

        The loss has the type of the parameters, and is complex where they are. It shares no line with that of
        `loss_and_grads`, which it judges.
        """
        before, starts = self._begin(batch, state, params["head.b"].dtype)
        beside = {"lengths": batch.lengths, "labels": batch.labels}
        logits, final = self.forward(params, batch.x, before, starts, noise, **beside)
        nats = head.nats(logits, batch.y)
        if batch.weights is not None:
            nats *= batch.weights
        return nats.sum() / batch.answers, state if batch.starts is None else final

    def loss_and_grads(
        self,
        params: dict[str, Array],
        batch: Batch,
        state: State,
        grads: dict[str, Array],
        noise: Noise | None = None,
        dstate: State | None = None,
        *,
        count: float | None = None,
    ) -> tuple[float, State]:
        """Returns the mean nats of the answers in `batch` and the final state; writes the gradients to `grads`.

        `dstate`, where given, is the gradient of the final state (zero in truncated BPTT) and becomes that of `state`.
        `count` is how many answers the mean is over, where these rows are only a part of a batch. Where every row is an
        item of its own, `state` has no part in this, and is returned as it is.
        """
        weights, rows = batch.weights, batch.x.size
        space = self._workspaces.get(self.stack, batch.x.shape, params["head.b"].dtype)
        if dstate is None or batch.starts is None:
            dstate = space.zero_dstate()
        before, _ = self._begin(batch, state, params["head.b"].dtype)
        with overflow_allowed():
            h = self._forward(params, batch, before, noise, space)
            out, dh = space.array("logits", (rows, self.num_outputs)), space.array("dh", h.shape)
            logits = head.affine(h, params["head.W"], params["head.b"], out=out)
            flat = None if weights is None else weights.ravel().astype(logits.dtype)
            loss = head.cross_entropy_(logits, batch.y.ravel(), batch.answers if count is None else count, flat)
            head.affine_backward(h, params["head.W"], logits, grads["head.W"], grads["head.b"], dx=dh)
            dh = dh.reshape(*batch.x.shape, -1)
            self.stack.backward(params, dh, dstate, space.tapes, noise or space.mean_noise, grads)
        return loss, state if batch.starts is None else space.final_state()

    def _begin(self, batch: Batch, state: State, dtype: npt.DTypeLike) -> tuple[State, Array]:
        """Returns the state that a batch begins from, and which rows take the initial one instead: bools (B,)."""
        if batch.starts is None:
            return self.zero_state(batch.num_rows, dtype), np.ones(batch.num_rows, bool)
        return state, batch.starts

    def _forward(
        self, params: dict[str, Array], batch: Batch, state: State, noise: Noise | None, space: Workspace
    ) -> Array:
        """Returns the output of the stack, in rows: (T*B, H or 2H)."""
        starts = np.ones(batch.num_rows, bool) if batch.starts is None else batch.starts
        given = params, batch.x, state, starts, space.tapes, noise or space.mean_noise
        h = self.stack.forward(*given, lengths=batch.lengths, side=batch.labels)
        return h.reshape(batch.x.size, -1)
