"""The network that reads one sequence and writes another: an encoder, a context, and a decoder that is told it.

    encoder     source ids (S, B) -> states (S, B, D)        D is H, or 2H where it reads in both directions
    context     one vector for each row, which the decoder reads at every step beside its own symbol:
                last       the encoder's last state
                affine     pooled @ W + b, of the last state, the mean or the maximum of all
                attention  the same; and before each answer, a look at all states (see `attention`)
    decoder     the symbols of the answer before each -> the next one; it begins with one that stands for the beginning

In training the decoder reads the right answer, whatever it would have written ("teacher forcing", Williams and Zipser
1989). Sources: Sutskever et al. 2014, arXiv 1409.3215; Cho et al. 2014, arXiv 1406.1078, for the context at every step.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from charrnn.arrays import Array, Batch
from charrnn.nn import CONTEXTS, attention, head, pooling
from charrnn.nn.network import Network
from charrnn.nn.noise import Noise
from charrnn.nn.numerics import overflow_allowed
from charrnn.nn.parameters import Shapes
from charrnn.nn.stack import Stack, State
from charrnn.nn.workspace import Workspace


class Encoded(NamedTuple):
    """Holds what was read of the sources of B rows."""

    states: Array
    """The encoder's outputs: (S, B, D)."""
    lengths: Array
    """How many steps each row has: (B,)."""
    pooled: Array
    """The summary of each row: (B, D)."""
    context: Array
    """What the decoder reads at every step: (B, C)."""
    space: Workspace
    """What the encoder works in: its tapes are those of this pass until it reads again."""


@dataclass(frozen=True)
class EncoderDecoder(Network):
    """Reads `Batch.source` and gives an answer at each step of `Batch.x`, which is the answer shifted by one."""

    source_size: int
    """Symbols that are read."""
    target_size: int
    """V, symbols to choose from at each step; as many are read by the decoder, as its last one stands for the beginning
    where it is read, and for the end where it is written."""
    pooling: str = "last"
    context: str = "attention"
    attention: str = "dot"

    def __post_init__(self) -> None:
        super().__post_init__()
        pooling.build(self.pooling)
        if self.context not in CONTEXTS:
            raise ValueError(f"context {self.context!r} is not one of {', '.join(CONTEXTS)}")
        if self.context == "last" and self.pooling != "last":
            raise ValueError(f"context last is the last state; set it to affine for pooling {self.pooling}")
        attention.shapes(self.attention, 1, 1)
        if not self.looks and self.attention != EncoderDecoder.attention:
            raise ValueError(f"attention {self.attention} is for context attention, and it is {self.context}")

    @cached_property
    def encoder(self) -> Stack:
        """The recurrent layers that read the source."""
        return self.stack_over(self.source_size, bidirectional=self.bidirectional, place="encoder.")

    @cached_property
    def decoder(self) -> Stack:
        """The recurrent layers that write the answer."""
        C = self.encoder.output_size if self.context == "last" else self.hidden_size
        return self.stack_over(self.target_size, bidirectional=False, side_size=C, place="decoder.")

    @property
    def stacks(self) -> list[Stack]:
        """The recurrent layers, in the order in which they read."""
        return [self.encoder, self.decoder]

    @property
    def num_outputs(self) -> int:
        """V, symbols to choose from at each step."""
        return self.target_size

    @property
    def looks(self) -> bool:
        """Whether there is attention."""
        return self.context == "attention"

    @property
    def above(self) -> Shapes:
        """The context's map, attention, and the output layer."""
        D, H = self.encoder.output_size, self.hidden_size
        named: Shapes = {}
        if self.context != "last":
            named |= {"context.W": (D, H), "context.b": (H,)}
        if self.looks:
            named |= attention.shapes(self.attention, H, D)
        return named | {f"head.{k}": shape for k, shape in head.shapes(H, self.target_size).items()}

    @property
    def init_above(self) -> dict[str, str]:
        """All begin with "glorot" in place of "he", whose fan is only that of an output layer."""
        return {"he": "glorot"}

    def batch_noise(self, rng: np.random.Generator, batch: Batch, dtype: npt.DTypeLike) -> Noise:
        """Draws what is random in the encoder's layers and in the decoder's, one after the other, for one batch."""
        assert batch.source is not None
        of_encoder = self.layer_noise(self.encoder, rng, batch.source, dtype)
        return of_encoder + self.layer_noise(self.decoder, rng, batch.x, dtype)

    def encode(self, params: dict[str, Array], batch: Batch, noise: Noise | None = None) -> Encoded:
        """Reads the sources of a batch. What it returns stays until the next are read."""
        source = batch.source
        assert source is not None
        S, B = source.shape
        space = self._workspaces.get(self.encoder, source.shape, params["head.b"].dtype)
        lengths = np.full(B, S) if batch.source_lengths is None else batch.source_lengths
        state, starts = self.encoder.zero_state(B, params["head.b"].dtype), np.ones(B, bool)
        drawn = self._of(self.encoder, noise) or space.mean_noise
        with overflow_allowed():
            states = self.encoder.forward(params, source, state, starts, space.tapes, drawn, lengths=lengths)
            pooled = pooling.build(self.pooling).forward(states, lengths, self.bidirectional)
            mapped = self.context != "last"
            context = head.affine(pooled, params["context.W"], params["context.b"]) if mapped else pooled
        return Encoded(states, lengths, pooled, context, space)

    def predict(self, params: dict[str, Array], batch: Batch, noise: Noise | None = None) -> Array:
        """Returns the logits (T, B, V) of the answers of a batch, each after the right ones before it."""
        encoded = self.encode(params, batch, noise)
        space = self._workspaces.get(self.decoder, batch.x.shape, params["head.b"].dtype)
        with overflow_allowed():
            h = self._decode(params, batch, encoded, noise, space)
            if self.looks:
                seen = attention.forward(params, _rows_first(h), _rows_first(encoded.states), encoded.lengths)
                h = _rows_first(attention.output(params, seen))
            return h @ params["head.W"] + params["head.b"]

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
        encoded = self.encode(params, batch, noise)
        space = self._workspaces.get(self.decoder, batch.x.shape, params["head.b"].dtype)
        with overflow_allowed():
            h = self._decode(params, batch, encoded, noise, space)
            out, seen = h, None
            if self.looks:
                seen = attention.forward(params, _rows_first(h), _rows_first(encoded.states), encoded.lengths)
                out = attention.output(params, seen)
            order = _rows_first if self.looks else np.asarray
            flat = out.reshape(-1, self.hidden_size)
            logits = head.affine(flat, params["head.W"], params["head.b"])
            weights = None if batch.weights is None else order(batch.weights).ravel().astype(logits.dtype)
            answers = batch.answers if count is None else count
            loss = head.cross_entropy_(logits, order(batch.y).ravel(), answers, weights)
            dout = head.affine_backward(flat, params["head.W"], logits, grads["head.W"], grads["head.b"])
            dout = dout.reshape(out.shape)
            dstates = np.zeros_like(encoded.states)
            if seen is not None:
                dh, dseen = attention.backward(params, seen, out, dout, grads)
                dout, dstates = np.ascontiguousarray(_rows_first(dh)), np.ascontiguousarray(_rows_first(dseen))
            drawn = self._of(self.decoder, noise) or space.mean_noise
            dcontext = self.decoder.backward(params, dout, space.zero_dstate(), space.tapes, drawn, grads)
            self._encode_backward(params, encoded, dcontext, dstates, grads, noise)
        return loss, state

    def _decode(
        self, params: dict[str, Array], batch: Batch, encoded: Encoded, noise: Noise | None, space: Workspace
    ) -> Array:
        """Returns the decoder's states: (T, B, H)."""
        B, dtype = batch.num_rows, params["head.b"].dtype
        state, starts = self.decoder.zero_state(B, dtype), np.ones(B, bool)
        drawn = self._of(self.decoder, noise) or space.mean_noise
        given = params, batch.x, state, starts, space.tapes, drawn
        return self.decoder.forward(*given, lengths=batch.lengths, side=encoded.context)

    def _encode_backward(
        self,
        params: dict[str, Array],
        encoded: Encoded,
        dcontext: Any,
        dstates: Array,
        grads: dict[str, Array],
        noise: Noise | None,
    ) -> None:
        """Differentiates `encode`: `dstates (S, B, D)` is what the states have from attention, and is used up."""
        space = encoded.space
        if self.context != "last":
            own = grads["context.W"], grads["context.b"]
            dcontext = head.affine_backward(encoded.pooled, params["context.W"], dcontext, *own)
        of_pooling = space.array("of_pooling", dstates.shape)
        pool = pooling.build(self.pooling)
        pool.backward(dcontext, encoded.states, encoded.lengths, self.bidirectional, of_pooling)
        dstates += of_pooling
        drawn = self._of(self.encoder, noise) or space.mean_noise
        self.encoder.backward(params, dstates, space.zero_dstate(), space.tapes, drawn, grads)

    def _of(self, stack: Stack, noise: Noise | None) -> Noise | None:
        """Returns the noise of one stack's layers."""
        if noise is None:
            return None
        n = len(self.encoder.prefixes)
        return noise[:n] if stack is self.encoder else noise[n:]


def _rows_first(array: Array) -> Array:
    """Returns (T, B, ...) as (B, T, ...), and the other way round: a view."""
    return array.swapaxes(0, 1)
