"""What characters are drawn from: logits become probabilities, some of which are taken away, and one is drawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from charrnn.arrays import Array, Ids
from charrnn.nn.numerics import overflow_allowed


@dataclass(frozen=True)
class Filters:
    """Says what characters are drawn from. What is None is off; the likeliest character is always kept.

    The logits are first divided by `temperature`. The filters then apply in the order in which they stand here.
    """

    temperature: float = 1.0
    """Below 1 what is likely becomes likelier; 0 means the likeliest character alone."""
    top_k: int | None = None
    """Keeps the k likeliest characters."""
    top_p: float | None = None
    """Keeps the smallest set that has at least this probability (Holtzman et al. 2019, arXiv 1904.09751)."""
    min_p: float | None = None
    """Keeps those at least this share as likely as the likeliest (Nguyen et al. 2024, arXiv 2407.01082)."""

    @property
    def are_certain(self) -> bool:
        """Whether they leave the likeliest character alone, so that nothing is left to chance."""
        return self.temperature == 0 or self.top_k == 1


PLAIN = Filters()
"""Draws from what the model expects, as it is."""


def probabilities(logits: Array, filters: Filters = PLAIN, out: Array | None = None) -> Array:
    """Returns what to draw from: of logits (B, V), probabilities (B, V) in float64; in `out` where that is given.

    What is forbidden has the logit -inf, and gets the probability 0; each row must have one that is not.
    """
    p: Array = np.empty(logits.shape) if out is None else out
    np.copyto(p, logits)
    p -= np.maximum.reduce(p, axis=-1, keepdims=True)
    top_k = filters.top_k
    if filters.temperature == 0:
        top_k = 1
    elif filters.temperature != 1:
        with np.errstate(over="ignore"):  # a low temperature takes what is unlikely to -inf, and its probability to 0
            p /= filters.temperature
    np.exp(p, p)
    if top_k is not None or filters.top_p is not None:
        _keep_likeliest(p, top_k, filters.top_p)
    if filters.min_p is not None:
        p[p < filters.min_p * p.max(axis=-1, keepdims=True)] = 0
    p /= np.add.reduce(p, axis=-1, keepdims=True)
    return p


def _keep_likeliest(p: Array, top_k: int | None, top_p: float | None) -> None:
    """Sets to zero what `top_k` and then `top_p` leave out of each row of `p (B, V)`."""
    order = np.argsort(-p, axis=-1, kind="stable")
    ranked = np.take_along_axis(p, order, axis=-1)
    if top_k is not None:
        ranked[:, top_k:] = 0
    if top_p is not None:
        mass = np.cumsum(ranked, axis=-1)
        ranked[:, 1:] *= mass[:, :-1] < top_p * mass[:, -1:]
    np.put_along_axis(p, order, ranked, axis=-1)


def log_softmax(logits: Array) -> Array:
    """Returns the logarithms of what the model expects: of logits (B, V), (B, V) in float64."""
    with overflow_allowed():
        shifted: Array = logits.astype(float) - logits.max(axis=-1, keepdims=True)
        shifted -= np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return shifted


def draw(p: Array, rng: np.random.Generator) -> Ids:
    """Draws an id for each row of `p (B, V)`: (B,). It inverts the cumulative distribution, which `p` becomes."""
    np.add.accumulate(p, axis=-1, out=p)
    u = rng.random(len(p)) * p[:, -1]
    # u * p[-1] can be rounded to p[-1] itself, which lies beyond the last that is likely
    ids = [min(row.searchsorted(x, "right"), row.searchsorted(row[-1])) for row, x in zip(p, u, strict=True)]
    return np.array(ids)
