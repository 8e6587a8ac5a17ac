"""How weights begin: matrices, biases and embeddings.

An initializer is a function that fills a matrix in place. `hidden_size` is H for `W (H + D, G*H)` of a layer, whose
first H rows meet the state and last D rows the input, and whose columns are G gates of width H. It is 0 for the output
layer's `W (H, V)`, none of whose rows meet a state. `scale` is the key `model.init_scale`.

Where a function `NAME_bias` stands beside the initializer NAME, it fills biases, and `NAME_embedding` the vectors of
symbols. Otherwise biases begin at zero, and such vectors with a length of about 1. What is added to the bias of a
forget gate is the cell's (see `Cell.init_bias`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TypeAlias

import numpy as np

from charrnn.arrays import Array
from charrnn.nn import INITIALIZERS

# In quotes, so that worker processes, which draw nothing, do not load np.random for it.
Initializer: TypeAlias = "Callable[[np.random.Generator, Array, int, float], None]"
"""Fills a matrix; takes the random numbers, the matrix, `hidden_size` and `scale`."""
BiasInitializer: TypeAlias = "Callable[[np.random.Generator, Array, int, float], None]"
"""Fills a bias; takes the random numbers, the bias, `fan_in` and `scale`. In a layer `fan_in` is H, above the layers
the number of rows of the matrix beside the bias."""
EmbeddingInitializer: TypeAlias = "Callable[[np.random.Generator, Array, float], None]"
"""Fills the vectors (V, E) of all symbols; takes the random numbers, the vectors and `scale`."""

TWO_BIASES = ("torch",)
"""Initializers of networks whose layers have a bias for what is read and one for the state. Here is the sum of both."""


def he(rng: np.random.Generator, W: Array, hidden_size: int, scale: float) -> None:
    """Draws from a normal distribution, as the textbook NumPy LSTM does.

        standard deviation = sqrt(2 / fan)      fan = H + D in a layer, V in the output layer

    Source: after He et al. 2015, arXiv 1502.01852.
    """
    fan = W.shape[0] if hidden_size else W.shape[1]
    W[...] = rng.standard_normal(W.shape) / np.sqrt(fan / 2)


def uniform(rng: np.random.Generator, W: Array, hidden_size: int, scale: float) -> None:
    """Draws evenly from a range around zero; biases and embeddings as well.

        range = [-init_scale, init_scale]

    Source: char-rnn, with 0.08.
    """
    W[...] = rng.uniform(-scale, scale, W.shape)


def uniform_bias(rng: np.random.Generator, b: Array, fan_in: int, scale: float) -> None:
    """Draws a bias from the range of `uniform`."""
    b[...] = rng.uniform(-scale, scale, b.shape)


def uniform_embedding(rng: np.random.Generator, vectors: Array, scale: float) -> None:
    """Draws vectors from the range of `uniform`."""
    vectors[...] = rng.uniform(-scale, scale, vectors.shape)


def glorot(rng: np.random.Generator, W: Array, hidden_size: int, scale: float) -> None:
    """Draws evenly from a range around zero that follows from the shape of the matrix; each gate is one of its own.

        range = [-r, r],  r = sqrt(6 / (rows + columns))

    Source: Glorot and Bengio 2010.
    """
    for gate in _gates(W, hidden_size):
        _glorot(rng, gate)


def orthogonal(rng: np.random.Generator, W: Array, hidden_size: int, scale: float) -> None:
    """Draws an orthogonal matrix for the rows of each gate that meet the state; it keeps the length of the state.

    The rest begins as with `glorot`.

        W_h @ W_h.T = identity

    Source: Saxe et al. 2013, arXiv 1312.6120.
    """
    for gate in _gates(W, hidden_size):
        _glorot(rng, gate)
        if hidden_size:
            Q, R = np.linalg.qr(rng.standard_normal((hidden_size, hidden_size)))
            # with the signs of R's diagonal, Q is uniform over the orthogonal group
            gate[:hidden_size] = Q * np.sign(np.diag(R))


def identity(rng: np.random.Generator, W: Array, hidden_size: int, scale: float) -> None:
    """Makes the rows of each gate that meet the state the identity matrix.

    A plain RNN with `relu` begins by keeping its state as it is. The rest begins as with `glorot`.

        W_h = identity

    Source: Le, Jaitly and Hinton 2015, arXiv 1504.00941.
    """
    for gate in _gates(W, hidden_size):
        _glorot(rng, gate)
        if hidden_size:
            gate[:hidden_size] = np.eye(hidden_size)


def torch(rng: np.random.Generator, W: Array, hidden_size: int, scale: float) -> None:
    """Draws what PyTorch draws: evenly from a range that follows from H, or above the layers from the rows.

    Biases too: a layer's is the sum of two, as PyTorch has one for what is read and one for the state. Embeddings are
    normal. No forget gate is opened, if `forget_bias` is not set.

        range = [-r, r],  r = 1 / sqrt(H or rows)
        standard deviation = 1 of embeddings

    Source: PyTorch: `nn.RNN`, `nn.GRU`, `nn.LSTM`, `nn.Linear`, `nn.Embedding`.
    """
    bound = 1 / math.sqrt(hidden_size or len(W))
    W[...] = rng.uniform(-bound, bound, W.shape)


def torch_bias(rng: np.random.Generator, b: Array, fan_in: int, scale: float) -> None:
    """Draws one bias of PyTorch's; of a layer's two, that is (see TWO_BIASES)."""
    bound = 1 / math.sqrt(fan_in)
    b[...] = rng.uniform(-bound, bound, b.shape)


def torch_embedding(rng: np.random.Generator, vectors: Array, scale: float) -> None:
    """Draws vectors whose elements are normal, of variance 1."""
    vectors[...] = rng.standard_normal(vectors.shape)


def build(name: str) -> Initializer:
    """Returns the initializer of that name. Raises ValueError if there is none."""
    if name not in INITIALIZERS:
        raise ValueError(f"init {name!r} is not one of {', '.join(INITIALIZERS)}")
    found: Initializer = globals()[name]
    return found


def build_bias(name: str) -> BiasInitializer:
    """Returns what fills biases beside the initializer of that name: with zeros, where it has nothing of its own."""
    found: BiasInitializer = globals().get(f"{name}_bias", _zeros)
    return found


def build_embedding(name: str) -> EmbeddingInitializer:
    """Returns what fills embeddings beside the initializer of that name."""
    found: EmbeddingInitializer = globals().get(f"{name}_embedding", _of_unit_length)
    return found


def _zeros(rng: np.random.Generator, b: Array, fan_in: int, scale: float) -> None:
    b[...] = 0


def _of_unit_length(rng: np.random.Generator, vectors: Array, scale: float) -> None:
    """Draws normal vectors whose length is about 1."""
    vectors[...] = rng.standard_normal(vectors.shape) / np.sqrt(vectors.shape[1])


def _gates(W: Array, hidden_size: int) -> Iterator[Array]:
    """Yields the columns of each gate, and the whole of the output layer's matrix."""
    width = hidden_size or W.shape[1]
    for start in range(0, W.shape[1], width):
        yield W[:, start : start + width]


def _glorot(rng: np.random.Generator, W: Array) -> None:
    bound = math.sqrt(6 / sum(W.shape))
    W[...] = rng.uniform(-bound, bound, W.shape)
