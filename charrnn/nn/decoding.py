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
    """(B, N, T), the end symbol where an answer has ended."""
    lengths: Ids
    """How many symbols each has before its end: (B, N)."""
    log_probabilities: Array
    """Of the whole answer, its end included, in nats: (B, N)."""
    ended: Array
    """Whether the end symbol was written, and not the longest length reached: bools (B, N)."""
    looks: Array | None
    """How much each step of the best answer looked at each step of the source: (B, T, S); None without attention."""


def decode(model: EncoderDecoder, params: dict[str, Array], batch: Batch, longest: Ids, beam: int = 1) -> Answers:
    """Writes answers for the sources of a batch, of at most `longest (B,)` symbols each; keeps `beam` for each source.

    Answers that have ended stand before those that have not, and then by log-probability over length.
    """
    encoded = model.encode(params, batch)
    N, V = beam, model.target_size
    end = V - 1
    (_, B), rows = encoded.states.shape[:2], np.repeat(np.arange(encoded.states.shape[1]), beam)
    states, lengths = encoded.states.swapaxes(0, 1)[rows], encoded.lengths[rows]
    stepper = StackStepper(model.decoder, params, B * N, encoded.context[rows])
    total = np.full((B, N), -np.inf)
    total[:, 0] = 0  # there is one beginning yet
    length, ended = np.zeros((B, N), int), np.zeros((B, N), bool)
    T = int(longest.max(initial=0))
    symbols = np.full((B, N, T + 1), end)
    looks: list[Array] = []
    last = np.full(B * N, end)
    for t in range(T + 1):
        h, seen = stepper.step(last), None
        with overflow_allowed():
            if model.looks:
                seen = attention.forward(params, h[:, None], states, lengths)
                h = attention.output(params, seen)[:, 0]
            log_p = log_softmax((h @ params["head.W"] + params["head.b"]).astype(np.float64)).reshape(B, N, V)
        full = t >= longest[:, None]  # nothing but the end may follow
        own = np.where((np.arange(V) < end) & full[:, :, None], -np.inf, log_p)
        own[ended] = -np.inf
        own[ended, end] = 0  # an answer that has ended stays as it is
        candidates = total[:, :, None] + own
        steps = length + ~ended  # symbols written, the end among them
        scores = (candidates / steps[:, :, None]).reshape(B, N * V)
        best = np.argsort(-scores, axis=1, kind="stable")[:, :N] if N > 1 else scores.argmax(axis=1)[:, None]
        parent, symbol = np.divmod(best, V)
        here = np.arange(B)[:, None]
        total = candidates.reshape(B, N * V)[here, best]
        was_ended = ended[here, parent]
        cut = full & ~was_ended  # ends because it must
        symbols = symbols[here, parent]
        symbols[:, :, t] = symbol
        length = steps[here, parent]
        ended = was_ended | (symbol == end)
        if t == 0:
            forced = np.zeros((B, N), bool)
        forced = forced[here, parent] | cut
        flat = (here * N + parent).ravel()
        stepper.choose(flat)
        if seen is not None:
            looks = [past[flat] for past in looks] if N > 1 else looks
            looks.append(seen.p[:, 0][flat])
        last = symbol.ravel()
        if ended.all():
            break
    order = np.lexsort([-total / length, forced], axis=1)
    here = np.arange(B)[:, None]
    seen_by_best = np.stack(looks, axis=1).reshape(B, N, len(looks), -1)[np.arange(B), order[:, 0]] if looks else None
    pick = (here, order)
    return Answers(symbols[pick], (length - 1)[pick], total[pick], ~forced[pick], seen_by_best)
