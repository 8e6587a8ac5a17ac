"""Optimizers and clipping as `(init, update)` pairs that a chain links, after the design of optax.

An update works in place: it takes the gradient as a flat vector and turns it into the step that is to be *subtracted*
from the parameters, already multiplied by the learning rate:

    optimizer = chain(clip_by_norm(5.0), adam())
    slots = optimizer.init(params.vector)
    optimizer.update(grads.vector, slots, learning_rate)
    params.vector -= grads.vector

The slots are a dict of arrays, which a checkpoint keeps as they are. Where conventions differ between libraries, these
are PyTorch's (a test compares ten updates), with their defaults.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Protocol

import numpy as np

from charrnn.arrays import Array
from charrnn.nn.numerics import norm

Slots = dict[str, Array]

BLOCK = 1 << 15
"""Elements of the vectors that are worked on at a time, so that they stay in cache from pass to pass."""


class Update(Protocol):
    """What is done with each gradient."""

    def __call__(self, gradient: Array, slots: Slots, learning_rate: float, size: float | None = None) -> None:
        """Changes `gradient` and `slots` in place. `size` is the gradient's norm, for those who know it already."""


class Transform(NamedTuple):
    """Two functions: what to begin with, and what to do with each gradient."""

    init: Callable[[Array], Slots]
    update: Update


def chain(*links: Transform) -> Transform:
    """One link after another, on shared slots."""

    def init(vector: Array) -> Slots:
        slots: Slots = {}
        for link in links:
            slots |= link.init(vector)
        return slots

    def update(gradient: Array, slots: Slots, learning_rate: float, size: float | None = None) -> None:
        for link in links:
            link.update(gradient, slots, learning_rate, size)
            size = None  # it was that of the gradient as it came

    return Transform(init, update)


def clip_by_norm(limit: float) -> Transform:
    """`g *= limit / norm(g)` where the global norm exceeds `limit` (Pascanu et al. 2013, arXiv 1211.5063)."""

    def update(gradient: Array, slots: Slots, learning_rate: float, size: float | None = None) -> None:
        if size is None:
            size = norm(gradient)
        if size > limit:
            gradient *= limit / size

    return Transform(_no_slots, update)


def clip_by_value(limit: float) -> Transform:
    """Each element into `[-limit, limit]`; it changes the gradient's direction, as min-char-rnn and char-rnn do."""

    def update(gradient: Array, slots: Slots, learning_rate: float, size: float | None = None) -> None:
        np.clip(gradient, -limit, limit, out=gradient)

    return Transform(_no_slots, update)


def sgd() -> Transform:
    """`step = lr * g`."""

    def update(gradient: Array, slots: Slots, learning_rate: float, size: float | None = None) -> None:
        gradient *= learning_rate

    return Transform(_no_slots, update)


def momentum(momentum: float = 0.9) -> Transform:
    """`v = momentum * v + g;  step = lr * v`. The rate is outside v, as in PyTorch, not as in Sutskever 2013."""

    def init(vector: Array) -> Slots:
        return {"v": np.zeros_like(vector)}

    def update(gradient: Array, slots: Slots, learning_rate: float, size: float | None = None) -> None:
        for g, v, _ in _blocks(gradient, slots["v"]):
            v *= momentum
            v += g
            np.multiply(v, learning_rate, out=g)

    return Transform(init, update)


def adagrad(eps: float = 1e-10) -> Transform:
    """`s += g^2;  step = lr * g / (sqrt(s) + eps)` (Duchi et al. 2011); eps outside the root."""

    def init(vector: Array) -> Slots:
        return {"s": np.zeros_like(vector)}

    def update(gradient: Array, slots: Slots, learning_rate: float, size: float | None = None) -> None:
        for g, s, u in _blocks(gradient, slots["s"]):
            np.multiply(g, g, out=u)
            s += u
            _divide_by_root(g, g, s, u, eps, learning_rate)

    return Transform(init, update)


def rmsprop(alpha: float = 0.99, eps: float = 1e-8) -> Transform:
    """`s = alpha * s + (1 - alpha) * g^2;  step = lr * g / (sqrt(s) + eps)` (Tieleman and Hinton 2012); eps outside."""

    def init(vector: Array) -> Slots:
        return {"s": np.zeros_like(vector)}

    def update(gradient: Array, slots: Slots, learning_rate: float, size: float | None = None) -> None:
        for g, s, u in _blocks(gradient, slots["s"]):
            _decay_towards_square(s, g, u, alpha)
            _divide_by_root(g, g, s, u, eps, learning_rate)

    return Transform(init, update)


def adam(beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8) -> Transform:
    """Adam (Kingma and Ba 2014, arXiv 1412.6980), with their corrections for moments that begin at zero.

    m = beta1 * m + (1 - beta1) * g;    s = beta2 * s + (1 - beta2) * g^2
    step = lr * (m / (1 - beta1^n)) / (sqrt(s / (1 - beta2^n)) + eps)        at the n-th update
    """

    def init(vector: Array) -> Slots:
        zeros = np.zeros_like
        count = np.zeros(1, np.int64)
        return {"m": zeros(vector), "s": zeros(vector), "count": count}

    def update(gradient: Array, slots: Slots, learning_rate: float, size: float | None = None) -> None:
        slots["count"] += 1
        n = int(slots["count"][0])
        # sqrt(s / k) + eps = (sqrt(s) + eps * sqrt(k)) / sqrt(k), which spares a pass over s
        root = math.sqrt(1 - beta2**n)
        for g, m, s, u in _blocks(gradient, slots["m"], slots["s"]):
            _decay_towards_square(s, g, u, beta2)
            m *= beta1
            g *= 1 - beta1
            m += g
            _divide_by_root(g, m, s, u, eps * root, learning_rate * root / (1 - beta1**n))

    return Transform(init, update)


def _blocks(*vectors: Array) -> Iterator[list[Array]]:
    """Views of the same part of each of the `vectors`, small enough to stay in cache; and scratch memory as large."""
    scratch = np.empty_like(vectors[0][:BLOCK])
    for start in range(0, len(vectors[0]), BLOCK):
        parts = [vector[start : start + BLOCK] for vector in vectors]
        yield [*parts, scratch[: len(parts[0])]]


def _no_slots(vector: Array) -> Slots:
    return {}


def _decay_towards_square(s: Array, g: Array, u: Array, decay: float) -> None:
    """`s = decay * s + (1 - decay) * g^2`, with u for scratch."""
    np.multiply(g, g, out=u)
    u *= 1 - decay
    s *= decay
    s += u


def _divide_by_root(step: Array, m: Array, s: Array, u: Array, eps: float, learning_rate: float) -> None:
    """`step = lr * m / (sqrt(s) + eps)`, with u for scratch."""
    np.sqrt(s, out=u)
    u += max(eps, float(np.finfo(u.dtype).tiny))  # else 0 / 0, where there was no gradient yet
    np.divide(m, u, out=step)
    step *= learning_rate


OPTIMIZERS: dict[str, tuple[Callable[..., Transform], tuple[str, ...]]] = {
    "sgd": (sgd, ()),
    "momentum": (momentum, ("momentum",)),
    "adagrad": (adagrad, ("eps",)),
    "rmsprop": (rmsprop, ("alpha", "eps")),
    "adam": (adam, ("beta1", "beta2", "eps")),
}
"""Each optimizer by name, with the hyperparameters it takes."""


def build(name: str, clip_norm: float | None, clip_value: float | None, **values: Any) -> Transform:
    """The optimizer called `name` behind the clipping asked for; it takes what it needs from `values`."""
    make, keys = OPTIMIZERS[name]
    links = [make(**{key: values[key] for key in keys})]
    if clip_value is not None:
        links.insert(0, clip_by_value(clip_value))
    if clip_norm is not None:
        links.insert(0, clip_by_norm(clip_norm))
    return chain(*links)
