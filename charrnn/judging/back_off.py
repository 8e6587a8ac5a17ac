"""Texts predicted by counting alone: n-grams of characters, which fall back on shorter ones (Witten and Bell 1991).

Of the contexts h of k - 1 characters, with T(h) different characters seen after h, N(h) times altogether:

    P_k(c | h) = (N(h c) + T(h) P_{k-1}(c | h')) / (N(h) + T(h))        h' is h without its first character
    P_0(c)     = 1 / V

So each is a proper distribution: over all V characters it adds up to 1. Where h was never seen it is that of h'. This
is the interpolated form of their method C, as in Chen and Goodman (1998).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from charrnn.arrays import Array, Ids


def probabilities(ids: Ids, counted: Array, asked: Array, V: int, longest: int) -> Iterator[Array]:
    """Yields, for n = 0, 1, ..., `longest`, the probability of each character asked for, by n-grams: (M,).

    `ids (N,)` are below V; -1 is nothing, as before a text. N-grams are counted that end where `counted (N,)` is true,
    and M characters are predicted from those before them: those where `asked (N,)` is true.

    n = 0 is uniform guessing, n = 1 knows how frequent each character is.
    """
    p = np.full(np.count_nonzero(asked), 1 / V)
    yield p
    n_grams = np.zeros(len(ids), np.int64)  # all are the same one, of no character
    for _ in range(longest):
        contexts = np.concatenate([[0], n_grams[:-1]])
        _, first, n_grams = np.unique(contexts * (V + 1) + ids + 1, return_index=True, return_inverse=True)
        seen = np.bincount(n_grams[counted], minlength=len(first))
        context_of = contexts[first]  # of each n-gram
        size = int(contexts.max()) + 1
        times = np.bincount(context_of, seen, size)
        kinds = np.bincount(context_of, seen > 0, size)
        here = contexts[asked]
        p = (seen[n_grams[asked]] + kinds[here] * p) / np.maximum(times + kinds, 1)[here] + (times[here] == 0) * p
        yield p
