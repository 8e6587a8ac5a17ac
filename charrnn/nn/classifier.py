"""The network that gives one answer for a whole sequence: ids -> recurrent layers -> one vector -> output layer."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from charrnn.arrays import Array, Batch
from charrnn.nn import head, pooling
from charrnn.nn.network import Network
from charrnn.nn.noise import Noise
from charrnn.nn.numerics import overflow_allowed
from charrnn.nn.parameters import Shapes
from charrnn.nn.stack import Stack, State
from charrnn.nn.workspace import Workspace


@dataclass(frozen=True)
class Classifier(Network):
    """Gives each row one of `outputs` answers, which are (B,). Every row is an item of its own."""

    vocab_size: int
    """V, symbols that are read."""
    outputs: int
    """K, answers to choose from."""
    pooling: str = "last"
    """How the outputs at all steps become one vector: "last", "mean" or "max"."""

    def __post_init__(self) -> None:
        super().__post_init__()
        pooling.build(self.pooling)

    @cached_property
    def stack(self) -> Stack:
        """The recurrent layers."""
        return self.stack_over(self.vocab_size, bidirectional=self.bidirectional)

    @property
    def stacks(self) -> list[Stack]:
        """The recurrent layers."""
        return [self.stack]

    @property
    def num_outputs(self) -> int:
        """K, answers to choose from."""
        return self.outputs

    @property
    def above(self) -> Shapes:
        """The output layer."""
        return {f"head.{k}": shape for k, shape in head.shapes(self.stack.output_size, self.outputs).items()}

    @property
    def init_above(self) -> dict[str, str]:
        """The output layer begins with "glorot" in place of "he", whose fan is the number of answers: often two."""
        return {"he": "glorot"}

    def predict(self, params: dict[str, Array], batch: Batch, noise: Noise | None = None) -> Array:
        """Returns the logits (B, K) of the answer of each row."""
        space = self._workspaces.get(self.stack, batch.x.shape, params["head.b"].dtype)
        with overflow_allowed():
            outputs = self._forward(params, batch, noise, space)
            pooled = pooling.build(self.pooling).forward(outputs, _lengths(batch), self.bidirectional)
            return head.affine(pooled, params["head.W"], params["head.b"])

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
        """Returns the mean nats of the answers in `batch`, and `state` as it is; writes the gradients to `grads`.

        `count` is how many answers the mean is over, where these rows are only a part of a batch.
        """
        space = self._workspaces.get(self.stack, batch.x.shape, params["head.b"].dtype)
        pool, lengths = pooling.build(self.pooling), _lengths(batch)
        with overflow_allowed():
            outputs = self._forward(params, batch, noise, space)
            pooled = pool.forward(outputs, lengths, self.bidirectional)
            logits = head.affine(pooled, params["head.W"], params["head.b"])
            weights = None if batch.weights is None else batch.weights.astype(logits.dtype)
            loss = head.cross_entropy_(logits, batch.y, batch.answers if count is None else count, weights)
            dpooled = head.affine_backward(pooled, params["head.W"], logits, grads["head.W"], grads["head.b"])
            doutputs = space.array("doutputs", outputs.shape)
            pool.backward(dpooled, outputs, lengths, self.bidirectional, doutputs)
            self.stack.backward(params, doutputs, space.zero_dstate(), space.tapes, noise or space.mean_noise, grads)
        return loss, state

    def _forward(self, params: dict[str, Array], batch: Batch, noise: Noise | None, space: Workspace) -> Array:
        """Returns the outputs of the layers: (T, B, H or 2H)."""
        B = batch.num_rows
        state, starts = self.stack.zero_state(B, params["head.b"].dtype), np.ones(B, bool)
        given = params, batch.x, state, starts, space.tapes, noise or space.mean_noise
        return self.stack.forward(*given, lengths=batch.lengths)


def _lengths(batch: Batch) -> Array:
    return np.full(batch.num_rows, len(batch.x)) if batch.lengths is None else batch.lengths
