"""How weight matrices begin. Biases begin at zero, but for a cell's forget gate (see `Cell.init_bias`)."""

from __future__ import annotations

import numpy as np

from charrnn.arrays import Array

NAMES = ("he", "uniform", "glorot", "orthogonal")


def he(rng: np.random.Generator, W: Array, fan: int) -> None:
    """Normal with standard deviation `1 / sqrt(fan / 2)` (after He et al. 2015, arXiv 1502.01852).

    The textbook NumPy LSTM's, where `fan` is `Z = H + D` for the gates and V for the head.
    """
    W[...] = rng.standard_normal(W.shape) / np.sqrt(fan / 2)


def uniform(rng: np.random.Generator, W: Array, scale: float) -> None:
    """Uniform in `[-scale, scale]`; 0.08 is what char-rnn uses."""
    W[...] = rng.uniform(-scale, scale, W.shape)


def glorot(rng: np.random.Generator, W: Array) -> None:
    """Uniform within `sqrt(6 / (rows + columns))` of zero (Glorot and Bengio 2010)."""
    uniform(rng, W, np.sqrt(6 / sum(W.shape)))


def orthogonal(rng: np.random.Generator, W: Array) -> None:
    """A random orthogonal square matrix (Saxe et al. 2013, arXiv 1312.6120): it keeps the norm of what it meets."""
    Q, R = np.linalg.qr(rng.standard_normal(W.shape))
    W[...] = Q * np.sign(np.diag(R))  # with the signs of R's diagonal, Q is uniform over the orthogonal group


def init_layer(rng: np.random.Generator, W: Array, hidden_size: int, name: str, scale: float) -> None:
    """Fills a layer's `W (H + D, G*H)`, whose first H rows meet the state and last D rows the input.

    `glorot` and `orthogonal` look at one gate's block at a time, since each gate is a matrix of its own; `orthogonal`
    is for the H rows that meet the state and leaves the input's rows to `glorot`.
    """
    if name == "he":
        he(rng, W, fan=W.shape[0])
    elif name == "uniform":
        uniform(rng, W, scale)
    elif name in ("glorot", "orthogonal"):
        for start in range(0, W.shape[1], hidden_size):
            gate = W[:, start : start + hidden_size]
            glorot(rng, gate)
            if name == "orthogonal":
                orthogonal(rng, gate[:hidden_size])
    else:
        raise ValueError(f"init {name!r} is not one of {', '.join(NAMES)}")


def init_head(rng: np.random.Generator, W: Array, name: str, scale: float) -> None:
    """Fills the head's `W (H, V)`; `he` takes V for its fan, as the textbook NumPy LSTM does."""
    if name == "he":
        he(rng, W, fan=W.shape[1])
    elif name == "uniform":
        uniform(rng, W, scale)
    else:
        glorot(rng, W)
