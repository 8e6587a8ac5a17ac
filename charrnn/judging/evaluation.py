"""How well a model predicts a text: nats for each character, with a carried state of its own."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from charrnn.arrays import Array, Ids
from charrnn.judging.surprise import Guesses
from charrnn.nn import head
from charrnn.nn.model import CharLM
from charrnn.nn.numerics import overflow_allowed
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


def nats_of_characters(model: CharLM, params: dict[str, Array], streams: Streams) -> Array:
    """Returns the loss of each character that `streams` predict, in the order of the text: (N,), float64.

    The text is read as B pieces side by side. The state is carried through each piece, and warmed up on the characters
    before it, so the mean is within 0.001 of that of one pass from the first character to the last (tested). The loss
    of a character that is spelled is the sum of those of its bytes.
    """
    nats = np.concatenate([np.zeros((0, streams.batch_size)), *_nats(model, params, streams)])
    of_symbols, begins = in_order(nats, streams), begins_of(streams)
    return of_symbols if begins is None else np.add.reduceat(of_symbols, begins)


def logits_of_characters(model: CharLM, params: dict[str, Array], streams: Streams) -> Array:
    """Returns the logits from which each character that `streams` predict is guessed, in the order of the text: (N, V).

    Their softmax is what the model thinks of all symbols in its place. A character that is spelled is several.
    """
    empty = np.zeros((0, streams.batch_size, model.num_outputs), params["head.b"].dtype)
    return in_order(np.concatenate([empty, *(logits for logits, _ in _logits(model, params, streams))]), streams)


def guesses_of_characters(model: CharLM, params: dict[str, Array], streams: Streams) -> Guesses:
    """Returns what is thought of each character that `streams` predict, in the order of the text: arrays (N,).

    Of a character that is spelled, the nats of its bytes add up, and `best` is what was thought likeliest to begin it.
    """
    windows = [Guesses.of(logits, y) for logits, y in _logits(model, params, streams)]
    empty = Guesses(*(np.zeros((0, streams.batch_size), dtype) for dtype in (np.float64, np.int64, np.float64)))
    found = Guesses(*(in_order(np.concatenate(arrays), streams) for arrays in zip(empty, *windows, strict=True)))
    begins = begins_of(streams)
    return found if begins is None else found.joined(begins)


def in_order(steps: Array, streams: Streams) -> Array:
    """Puts what was found step by step, (T, B, ...), in the order of the text: (N, ...)."""
    return np.concatenate([steps[:n, b] for b, n in enumerate(streams.lengths)])


def begins_of(streams: Streams) -> Ids | None:
    """Returns where each character begins among the symbols that are predicted: (N,); None where each is one symbol."""
    if not isinstance(streams.ids, Spelled) or not len(streams):
        return None
    spans = streams.spans()  # one behind the other: columns, which are not, have no place for what is spelled
    sizes = streams.ids.sizes(spans[0][0], spans[-1][1])
    begins: Ids = sizes.cumsum() - sizes
    return begins


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


def piece_of(streams: Streams, rows: slice) -> Streams:
    """Returns some of the streams, as an evaluation reads them, with the symbols that they need and no others.

    They can be handed to another process, and are judged as they are beside the others: with the same warm-up.
    """
    warm_up = min(CONTEXT, int(streams.context.max(initial=0)))
    lengths = streams.lengths[rows]
    width = warm_up + int(lengths.max(initial=0)) + 1
    index = streams.first[rows] - warm_up + np.arange(width)[:, None]
    ids: Ids = np.ascontiguousarray(streams.ids.take(np.maximum(index, 0), mode="clip").T).ravel()
    context = np.where(streams.context[rows] < warm_up, 0, warm_up)
    return Streams(ids, np.arange(len(lengths)) * width + warm_up, lengths, context)


def _nats(model: CharLM, params: dict[str, Array], streams: Streams) -> Iterator[Array]:
    """Yields the loss of each character, (T, B) at a time; what lies beyond the end of a stream does not count."""
    for logits, y in _logits(model, params, streams):
        with overflow_allowed():  # of weights that have exploded, which shows in the loss
            nats = head.nats(logits, y)
        yield nats


def _logits(model: CharLM, params: dict[str, Array], streams: Streams) -> Iterator[tuple[Array, Ids]]:
    """Yields the logits for each character and the character itself: (T, B, V) and (T, B), window after window."""
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
        yield logits, y
