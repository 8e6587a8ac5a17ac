"""How well a model predicts a text: nats for each character, with a carried state of its own."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from charrnn.arrays import Array
from charrnn.nn import head
from charrnn.nn.model import CharLM
from charrnn.nn.numerics import overflow_allowed
from charrnn.text.encoding import Text, encoded_size
from charrnn.text.streams import Spelled, Streams

SEQ_LENGTH = 64
"""Characters per forward pass; the state is carried across, so this changes memory and not the result."""

CONTEXT = 128
"""Characters before its own that a stream reads, unscored, so that it does not begin from nothing."""


@dataclass(frozen=True)
class Score:
    """Holds the mean loss over `chars` predicted characters, which are `bytes` bytes of the text."""

    nats_per_char: float
    chars: int
    bytes: int

    @property
    def bits_per_char(self) -> float:
        """`nats / ln 2`."""
        return self.nats_per_char / math.log(2)

    @property
    def bits_per_byte(self) -> float:
        """The bits of all characters, spread over their bytes; comparable between encodings and with compressors."""
        return self.bits_per_char * self.chars / self.bytes

    @property
    def perplexity(self) -> float:
        """`exp(nats)`: how many characters the model hesitates between; above 700 nats, that of 700."""
        return math.exp(min(self.nats_per_char, 700))

    def facts(self) -> dict[str, float]:
        """Returns all of it by name."""
        names = ("nats_per_char", "bits_per_char", "bits_per_byte", "perplexity", "chars", "bytes")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True)
class Stretch:
    """Holds characters of a text that are predicted: those that `streams` predict."""

    text: Text
    streams: Streams

    def __len__(self) -> int:
        return self.streams.characters

    def predicted(self) -> Iterator[str]:
        """Yields the characters, some at a time."""
        for start, stop in self.streams.spans():
            yield from self.text.pieces(start, stop)

    def score(self, model: CharLM, params: dict[str, Array]) -> Score:
        """Returns how well a model predicts them."""
        size = encoded_size(self.predicted(), self.text.encoding)
        return Score(evaluate(model, params, self.streams), len(self), size)


def nats_of_characters(model: CharLM, params: dict[str, Array], streams: Streams) -> Array:
    """Returns the loss of each character that `streams` predict, in the order of the text: (N,), float64.

    The text is read as B pieces side by side. The state is carried through each piece, and warmed up on the characters
    before it, so the mean is within 0.001 of that of one pass from the first character to the last (tested). The loss
    of a character that is spelled is the sum of those of its bytes.
    """
    nats = np.concatenate([np.zeros((0, streams.batch_size)), *_nats(model, params, streams)])
    of_symbols = np.concatenate([nats[:n, b] for b, n in enumerate(streams.lengths)])
    if not isinstance(streams.ids, Spelled):
        return of_symbols
    spans = streams.spans()  # one behind the other: columns, which are not, have no place for what is spelled
    sizes = streams.ids.sizes(spans[0][0], spans[-1][1])
    return np.add.reduceat(of_symbols, sizes.cumsum() - sizes)


class EvaluationStopped(Exception):
    """Says that an evaluation was asked to stop, and did."""


def evaluate(
    model: CharLM, params: dict[str, Array], streams: Streams, stop: Callable[[], bool] = lambda: False
) -> float:
    """Returns the mean nats per character over `streams`; it is rounded once, so the same in any order.

    All nats count, and are shared among the characters, of which one that is spelled is still one.

    Raises EvaluationStopped where `stop()`, which is asked every `SEQ_LENGTH` characters, is true.
    """

    def counted() -> Iterator[float]:
        start = 0
        for nats in _nats(model, params, streams):
            rows = np.arange(start, start + len(nats))[:, None]
            yield from nats[rows < streams.lengths].tolist()
            start += len(nats)
            if stop():
                raise EvaluationStopped

    return math.fsum(counted()) / streams.characters


def _nats(model: CharLM, params: dict[str, Array], streams: Streams) -> Iterator[Array]:
    """Yields the loss of each character, (T, B) at a time; what lies beyond the end of a stream does not count."""
    B, length = streams.batch_size, int(streams.lengths.max(initial=0))
    warm_up = min(CONTEXT, int(streams.context.max(initial=0)))
    state = model.zero_state(B, params["head.b"].dtype)
    cold = np.ones(B, bool)
    if warm_up:
        x, _ = streams.window(-warm_up, warm_up)
        _, state = model.forward(params, x, state, cold)
        cold = streams.context < warm_up
    for start in range(0, length, SEQ_LENGTH):
        x, y = streams.window(start, min(SEQ_LENGTH, length - start))
        starts = cold if start == 0 else np.zeros(B, bool)
        logits, state = model.forward(params, x, state, starts)
        with overflow_allowed():  # of weights that have exploded, which shows in the loss
            nats = head.nats(logits, y)
        yield nats
