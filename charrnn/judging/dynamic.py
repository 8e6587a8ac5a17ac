"""Dynamic evaluation: a model that goes on learning from a text, of which it learns only what has been scored.

The text is read as one row, segment after segment. Each is scored, and then the weights take one step down its
gradient; so the next is scored by a model that knows what the text has been like so far. Source: Krause et al. 2018,
"Dynamic evaluation of neural sequence models", arXiv 1709.07432.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from charrnn.arrays import Array, Batch
from charrnn.judging.evaluation import CONTEXT
from charrnn.nn import head
from charrnn.nn.model import CharLM
from charrnn.nn.numerics import overflow_allowed
from charrnn.nn.parameters import Parameters
from charrnn.nn.stack import State
from charrnn.text.streams import Streams


@dataclass(frozen=True)
class Adapting:
    """Says how a model learns from what it has scored. The defaults were chosen on validation texts."""

    segment: int = 50
    """T, how many symbols are scored before the model learns from them."""
    rate: float = 2e-3
    """About how far a step moves a weight."""
    decay: float = 3e-3
    """The share of the way back to the first weights that a step goes too, on average over all weights."""

    def facts(self) -> dict[str, Any]:
        """Returns all of it by name."""
        return dataclasses.asdict(self)


class Adaptation:
    """Holds weights that go on learning. Those that it was given stay as they are."""

    def __init__(self, model: CharLM, params: Parameters, how: Adapting) -> None:
        self.model, self.how = model, how
        self.params = Parameters(params.shapes, params.vector.copy())
        """The weights as they are now; each step changes them in place."""
        self._first = params.vector
        self._grads = Parameters.zeros(params.shapes, params.vector.dtype)
        self._squares = np.zeros_like(params.vector)
        """The sum of the squares of all gradients so far."""
        self._steps = 0

    @property
    def segment(self) -> int:
        """T, after how many symbols it is to learn."""
        return self.how.segment

    def learn(self, batch: Batch, state: State) -> None:
        """Takes one step down the gradient of the mean nats of `batch`, before which the layers were in `state`.

        With g the gradient, n the number of steps, w the weights and w0 the first ones:

            s = s + g^2
            r = sqrt(s / n)
            w = w - rate * g / (r + eps) + (w0 - w) * min(1, decay * r / mean(r))

        In the paper, r is the root mean square of the gradients on the training text; here it is that of the text so
        far, as a run does not keep its training text. A gradient that is not finite is passed over.
        """
        self.model.loss_and_grads(self.params, batch, state, self._grads)
        g, w = self._grads.vector, self.params.vector
        with overflow_allowed():
            squares = g * g
            if not math.isfinite(float(squares.sum())):
                return
        self._squares += squares
        self._steps += 1
        r = np.sqrt(self._squares / self._steps)
        mean = max(float(r.mean()), float(np.finfo(r.dtype).tiny))
        g *= self.how.rate
        g /= r + EPS * mean
        back = self._first - w
        back *= np.minimum(r * (self.how.decay / mean), 1)
        w -= g
        w += back


EPS = 1e-3
"""What is added to the root, as a share of its mean over all weights: so that none is divided by nothing."""


def nats_dynamically(model: CharLM, params: Parameters, streams: Streams, how: Adapting) -> Iterator[float]:
    """Yields the loss of each symbol that `streams` predict, in the order of the text.

    Pieces that touch are read as one. Before a piece that follows something, up to `CONTEXT` symbols are read, and not
    learnt from. What has been learnt in a piece is known in the next.
    """
    adaptation = Adaptation(model, params, how)
    for piece in _joined(streams):
        state, starts = _warm(model, adaptation.params, piece)
        length = int(piece.lengths[0])
        for start in range(0, length, how.segment):
            x, y = piece.window(start, min(how.segment, length - start))
            logits, after = model.forward(adaptation.params, x, state, starts)
            with overflow_allowed():
                yield from head.nats(logits, y)[:, 0].tolist()
            adaptation.learn(Batch(x, y, starts), state)
            state, starts = after, np.zeros(1, bool)


def evaluate_dynamically(model: CharLM, params: Parameters, streams: Streams, how: Adapting) -> float:
    """Returns the mean nats per character over `streams`; those of a character that is spelled add up."""
    with threadpool_limits(1, user_api="blas"):  # of one row, a second thread makes nothing faster
        return math.fsum(nats_dynamically(model, params, streams, how)) / streams.characters


def _joined(streams: Streams) -> Iterator[Streams]:
    """Yields the pieces of a text as streams of one row, in the order of the text; those that touch are one."""
    rows = zip(streams.first.tolist(), streams.lengths.tolist(), streams.context.tolist(), strict=True)
    pieces: list[list[int]] = []
    for first, length, context in sorted(row for row in rows if row[1]):
        if pieces and sum(pieces[-1][:2]) == first:
            pieces[-1][1] += length
        else:
            pieces.append([first, length, context])
    for piece in pieces:
        yield Streams(streams.ids, *(np.array([number]) for number in piece))


def _warm(model: CharLM, params: dict[str, Array], piece: Streams) -> tuple[State, Array]:
    """Returns the state before a piece, and whether it is the initial one: bools (1,)."""
    state, warm_up = model.zero_state(1, params["head.b"].dtype), min(CONTEXT, int(piece.context[0]))
    starts = np.ones(1, bool)
    if warm_up:
        x, _ = piece.window(-warm_up, warm_up)
        _, state = model.forward(params, x, state, starts)
        starts = np.zeros(1, bool)
    return state, starts
