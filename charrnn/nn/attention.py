"""Attention: at each step, a decoder looks at all states of the encoder, at some more than at others.

With h_t a state of the decoder and e_s one of the encoder, of which there are S,

    (1) a_ts = h_t . (e_s @ W)                             "dot" (Luong et al. 2015, arXiv 1508.04025, their "general")
        a_ts = v . tanh(h_t @ W_q + e_s @ W)               "additive" (Bahdanau et al. 2015, arXiv 1409.0473)
    (2) p_t  = softmax(a_t)                                over the source's own steps: padding has probability 0
    (3) z_t  = sum over s of p_ts * e_s
    (4) o_t  = tanh([h_t, z_t] @ W_o + b_o)                what the output layer reads

As Luong et al. have it, a step looks with its own new state, and what it sees goes into its output and not into the
next step: so all steps are computed at once. Arrays here have the rows first: (B, T, H), (B, S, D).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from charrnn.arrays import Array
from charrnn.nn import SCORES
from charrnn.nn.parameters import Shapes


class Look(NamedTuple):
    """Holds what the way back needs."""

    h: Array
    """States of the decoder: (B, T, H)."""
    encoded: Array
    """States of the encoder: (B, S, D)."""
    keys: Array
    """What they are matched by, `e_s @ W`: (B, S, H)."""
    match: Array | None
    """The tanh in (1) where scores are additive, (B, T, S, H); else None."""
    p: Array
    """How much each step looks at each state: (B, T, S)."""
    context: Array
    """z_t: (B, T, D)."""


def shapes(score: str, hidden_size: int, encoded_size: int) -> Shapes:
    """Returns name and shape of each parameter, for H units of the decoder and D numbers in a state of the encoder."""
    if score not in SCORES:
        raise ValueError(f"attention {score!r} is not one of {', '.join(SCORES)}")
    H, D = hidden_size, encoded_size
    named: Shapes = {"attention.W": (D, H)}
    if score == "additive":
        named |= {"attention.query.W": (H, H), "attention.v": (H,)}
    return named | {"attention.output.W": (H + D, H), "attention.output.b": (H,)}


def keys_of(params: dict[str, Array], encoded: Array) -> Array:
    """Returns what the states `encoded (B, S, D)` are matched by: (B, S, H)."""
    return _times(encoded, params["attention.W"])


def forward(params: dict[str, Array], h: Array, encoded: Array, lengths: Array, known: Array | None = None) -> Look:
    """Returns what each state of `h (B, T, H)` sees of `encoded (B, S, D)`, whose rows are `lengths (B,)` long.

    Where a row has no step at all, its first, which is the encoder's initial state, is looked at. `known` is what
    `keys_of` returned for `encoded` before, if it did.
    """
    keys = keys_of(params, encoded) if known is None else known
    match = None
    # (1)
    if "attention.v" in params:
        match = np.tanh(_times(h, params["attention.query.W"])[:, :, None] + keys[:, None])
        scores = match @ params["attention.v"]
    else:
        scores = h @ keys.swapaxes(1, 2)
    # (2) masked before the softmax: no share of it is lost to padding
    outside = np.arange(encoded.shape[1]) >= np.maximum(lengths, 1)[:, None]
    scores = np.where(outside[:, None], -np.inf, scores)
    p = np.exp(scores - scores.real.max(axis=-1, keepdims=True))
    p /= p.sum(axis=-1, keepdims=True)
    # (3)
    return Look(h, encoded, keys, match, p, p @ encoded)


def output(params: dict[str, Array], seen: Look) -> Array:
    """Returns (4), what the output layer reads: (B, T, H)."""
    W, H = params["attention.output.W"], seen.h.shape[-1]
    a = _times(seen.h, W[:H])
    a += _times(seen.context, W[H:])
    a += params["attention.output.b"]
    out: Array = np.tanh(a, out=a)
    return out


def backward(
    params: dict[str, Array], seen: Look, out: Array, dout: Array, grads: dict[str, Array]
) -> tuple[Array, Array]:
    """Differentiates `output` and `forward`: `dout (B, T, H)` is the gradient of `out`, which `output` returned.

    Writes to `grads`, and returns the gradients of h, (B, T, H), and of the encoder's states, (B, S, D).
    """
    h, encoded, keys, match, p, _ = seen
    H, W = h.shape[-1], params["attention.W"]
    # (4)
    da = dout * (1 - out * out)
    W_o, dW_o = params["attention.output.W"], grads["attention.output.W"]
    _product_grads(h, da, dW_o[:H])
    _product_grads(seen.context, da, dW_o[H:])
    np.sum(da, axis=(0, 1), out=grads["attention.output.b"])
    dh, dcontext = _times(da, W_o[:H].T), _times(da, W_o[H:].T)
    # (3)
    dp = dcontext @ encoded.swapaxes(1, 2)
    dencoded = p.swapaxes(1, 2) @ dcontext
    # (2) where p is 0, as in padding, so is the gradient
    dscores = p * (dp - (p * dp).sum(axis=-1, keepdims=True))
    # (1)
    if match is None:
        dh += dscores @ keys
        dkeys = dscores.swapaxes(1, 2) @ h
    else:
        v, query = params["attention.v"], params["attention.query.W"]
        np.einsum("bts,btsh->h", dscores, match, out=grads["attention.v"])
        dmatch = dscores[..., None] * v * (1 - match * match)
        dquery, dkeys = dmatch.sum(axis=2), dmatch.sum(axis=1)
        _product_grads(h, dquery, grads["attention.query.W"])
        dh += _times(dquery, query.T)
    _product_grads(encoded, dkeys, grads["attention.W"])
    dencoded += _times(dkeys, W.T)
    return dh, dencoded


def _times(x: Array, W: Array) -> Array:
    """Returns `x (B, T, I) @ W (I, O)`: one product of all B*T rows, and not B small ones."""
    product: Array = (x.reshape(-1, x.shape[-1]) @ W).reshape(*x.shape[:-1], -1)
    return product


def _product_grads(left: Array, dproduct: Array, out: Array) -> None:
    """Writes the gradient of W, where `left (B, T, I) @ W` has the gradient `dproduct (B, T, O)`, to `out (I, O)`."""
    np.matmul(left.reshape(-1, left.shape[-1]).T, dproduct.reshape(-1, dproduct.shape[-1]), out=out)
