"""How an encoder-decoder writes its answer: one symbol after another, each from the likeliest beginnings so far.

A *beam* is the N likeliest beginnings of an answer. Each step makes them longer by every symbol, and keeps the N
likeliest of what comes out. One that has ended stays as it is, and competes with the others by its log-probability
divided by its length: without that, the shortest answers would win, as each symbol makes an answer less likely. A beam
of one is greedy decoding: always the likeliest symbol.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from charrnn.arrays import Array, Batch, Ids
from charrnn.nn import attention
from charrnn.nn.encoder_decoder import EncoderDecoder
from charrnn.nn.numerics import log_softmax, overflow_allowed
from charrnn.nn.stepper import StackStepper


class Answers(NamedTuple):
    """Holds what was written for B sources: N answers for each, the best first."""

    symbols: Ids
    """(B, N, T), the end symbol from where an answer has ended."""
    lengths: Ids
    """How many symbols each has before its end: (B, N)."""
    log_probabilities: Array
    """How likely each answer is, its end included, in nats: (B, N). Where there are fewer, the rest has -inf."""
    ended: Array
    """Whether the model chose to end: bools (B, N). If not, the answer was cut off at the longest length, where it held
    another symbol than the end for the likeliest."""
    looks: Array | None
    """How much each step of the best answer looked at each step of the source: (B, T, S); None without attention, or
    where they are not kept."""


def decode(
    model: EncoderDecoder,
    params: dict[str, Array],
    batch: Batch,
    longest: Ids,
    beam: int = 1,
    *,
    keep_looks: bool = True,
) -> Answers:
    """Writes answers for the sources of a batch, of at most `longest (B,)` symbols each; keeps `beam` for each source.

    Answers that have ended stand before those that have not, and then by log-probability over length. The looks take
    memory that grows with the square of a text's length; without `keep_looks` there are none.
    """
    decoder, beams, looks = _Decoder(model, params, batch, beam), _Beams(longest, beam, model.target_size - 1), []
    for _ in range(int(longest.max(initial=0)) + 1):
        log_p, look = decoder.step(beams.last)
        decoder.choose(beams.grow(log_p))
        if keep_looks and look is not None:
            looks.append(look)
        if beams.ended.all():
            break
    return beams.answers(looks)


class _Decoder:
    """Is the decoder for B sources, one step at a time, of each source in `size` rows side by side."""

    def __init__(self, model: EncoderDecoder, params: dict[str, Array], batch: Batch, size: int) -> None:
        encoded = model.encode(params, batch)
        B = len(encoded.lengths)
        self.params, self.shape, self.looks = params, (B, size), model.looks
        self.states, self.lengths = np.ascontiguousarray(encoded.states.swapaxes(0, 1)), encoded.lengths
        with overflow_allowed():  # of weights that have exploded, which shows in the answers
            self.keys = attention.keys_of(params, self.states) if self.looks else None
        self.stepper = StackStepper(model.decoder, params, B * size, encoded.context.repeat(size, axis=0))

    def step(self, symbols: Ids) -> tuple[Array, Array | None]:
        """Reads `symbols (B, N)`, and returns the log-probabilities (B, N, V) of the next, and the look (B, N, S)."""
        h, look = self.stepper.step(symbols.ravel()).reshape(*self.shape, -1), None
        with overflow_allowed():
            if self.looks:
                seen = attention.forward(self.params, h, self.states, self.lengths, self.keys)
                h, look = attention.output(self.params, seen), seen.p
            logits = h @ self.params["head.W"] + self.params["head.b"]
            return log_softmax(logits.astype(np.float64)), look

    def choose(self, parents: Ids) -> None:
        """Puts into each row the state of row `parents (B, N)` of the same source."""
        B, N = self.shape
        if N > 1:
            self.stepper.choose((np.arange(B)[:, None] * N + parents).ravel())


class _Beams:
    """Holds the N likeliest beginnings of an answer to each of B sources: all arrays are (B, N)."""

    def __init__(self, longest: Ids, size: int, end: int) -> None:
        shape = len(longest), size
        self.longest, self.end = longest[:, None], end
        self.total = np.full(shape, -np.inf)  # log-probability
        self.total[:, 0] = 0  # there is one beginning yet
        self.last = np.full(shape, end)  # what was written last; in the beginning it is the symbol for that
        self.steps = np.zeros(shape, int)  # symbols written, the end among them
        self.ended = np.zeros(shape, bool)
        self.cut = np.zeros(shape, bool)  # ended because it had to
        self.history: list[tuple[Ids, Ids]] = []  # for each step the parents, and what was written after each

    def grow(self, log_p: Array) -> Ids:
        """Makes all longer by a symbol, of log-probability `log_p (B, N, V)`, and returns which each goes on from."""
        B, N, V = log_p.shape
        here, full = np.arange(B)[:, None], (len(self.history) >= self.longest) & ~self.ended
        cut = full & (log_p.argmax(axis=-1) != self.end)
        own = np.where((np.arange(V) != self.end) & (full | self.ended)[:, :, None], -np.inf, log_p)
        own[self.ended, self.end] = 0  # what has ended stays as it is
        candidates = (self.total[:, :, None] + own).reshape(B, N * V)
        steps = self.steps + ~self.ended
        scores = _scores(candidates, steps.repeat(V, axis=1))
        best = np.argsort(-scores, axis=1, kind="stable")[:, :N] if N > 1 else scores.argmax(axis=1)[:, None]
        parents, self.last = np.divmod(best, V)
        self.total, self.steps = candidates[here, best], steps[here, parents]
        self.cut = (self.cut | cut)[here, parents]
        self.ended = self.ended[here, parents] | (self.last == self.end)
        self.history.append((parents, self.last))
        return parents

    def answers(self, looks: list[Array]) -> Answers:
        """Returns all of them, the best first, with the looks (B, N, S) of each step that the best came from."""
        cut = self.cut | np.isneginf(self.total)  # there may be fewer answers than a beam has room for
        rows = order = np.lexsort([-_scores(self.total, self.steps), cut], axis=1)
        B, N = order.shape
        here, T = np.arange(B)[:, None], len(self.history)
        symbols, of_best = np.empty((B, N, T), int), [np.empty(0)] * len(looks)
        for t in reversed(range(T)):  # back from each answer to what it began as
            parents, written = self.history[t]
            symbols[:, :, t] = written[here, rows]
            rows = parents[here, rows]
            if looks:
                of_best[t] = looks[t][np.arange(B), rows[:, 0]]
        seen = np.stack(of_best, axis=1) if looks else None
        return Answers(symbols, self.steps[here, order] - 1, self.total[here, order], ~cut[here, order], seen)


def _scores(total: Array, steps: Ids) -> Array:
    """Returns log-probability over length. That of a network that has diverged is no number: it counts as the least."""
    scores = total / steps
    return np.where(np.isnan(scores), np.finfo(np.float64).min, scores)
