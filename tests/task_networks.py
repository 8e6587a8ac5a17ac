"""The networks of all tasks, and items for them: alone, or in batches with padding of every kind."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from charrnn.arrays import Batch
from charrnn.nn.classifier import Classifier
from charrnn.nn.encoder_decoder import EncoderDecoder
from charrnn.nn.model import CharLM
from charrnn.nn.network import Network
from charrnn.nn.parameters import Parameters

V, K, H = 5, 4, 3
"""Symbols that are read, answers or labels, and units."""

CONTEXTS: dict[str, dict[str, Any]] = {
    "last": {"context": "last"},
    "affine": {"context": "affine"},
    "affine-mean": {"context": "affine", "pooling": "mean"},
    "affine-max": {"context": "affine", "pooling": "max"},
    "dot": {"attention": "dot"},
    "dot-mean": {"attention": "dot", "pooling": "mean"},
    "additive": {"attention": "additive"},
    "additive-max": {"attention": "additive", "pooling": "max"},
}
"""The ways in which a decoder knows of the source."""

_CLASSIFY = {f"classify-{pooling}": (Classifier, {"pooling": pooling}) for pooling in ("last", "mean", "max")}
_TRANSDUCE = {f"transduce-{name}": (EncoderDecoder, chosen) for name, chosen in CONTEXTS.items()}
_KINDS: dict[str, tuple[type[Network], dict[str, Any]]] = {
    **_CLASSIFY,
    "tag": (CharLM, {"outputs": K}),
    **_TRANSDUCE,
}
_SIZES: dict[type[Network], dict[str, int]] = {
    Classifier: {"vocab_size": V, "outputs": K},
    CharLM: {"vocab_size": V},
    EncoderDecoder: {"source_size": V, "target_size": K},
}

NETWORKS: dict[str, tuple[type[Network], dict[str, Any]]] = {
    f"{name}-{way}": (kind, {**_SIZES[kind], **chosen, "bidirectional": way == "both"})
    for name, (kind, chosen) in _KINDS.items()
    for way in ("both", "one")
} | {"generate": (CharLM, {"vocab_size": V, "labels": K})}
"""Each network of a task, with the size of everything but its layers."""


def network(name: str, **options: Any) -> Any:
    """The network of that name, as a gated one of three units if not told otherwise."""
    kind, sizes = NETWORKS[name]
    chosen: Any = {"cell": "gru", "hidden_size": H, **sizes, **options}
    return kind(**chosen)


def random_params(model: Any, rng: np.random.Generator) -> Parameters:
    """Parameters of which none is zero, one, or alike."""
    return Parameters(model.shapes, rng.normal(0, 0.5, model.num_parameters))


class Item(NamedTuple):
    """What a network is given in one row."""

    x: np.ndarray
    y: np.ndarray
    weights: np.ndarray
    label: int
    source: np.ndarray


def items_of(model: Any, lengths: list[tuple[int, int]], rng: np.random.Generator) -> list[Item]:
    """Items of these lengths, the second of which is that of a source; some answers count more than others."""
    return [_item(model, n, s, rng) for n, s in lengths]


def _item(model: Any, steps: int, source_steps: int, rng: np.random.Generator) -> Item:
    outputs, symbols = model.num_outputs, K if isinstance(model, EncoderDecoder) else V
    shape = () if isinstance(model, Classifier) else (steps,)
    return Item(
        rng.integers(symbols, size=steps),
        rng.integers(outputs, size=shape),
        rng.uniform(0.5, 2, shape),
        int(rng.integers(K)),
        rng.integers(V, size=source_steps),
    )


def batch_of(model: Any, items: list[Item], rng: np.random.Generator, padding: int = 0, empty: int = 0) -> Batch:
    """The items side by side, with symbols in the padding that are as good as any, and rows of padding alone."""
    B = len(items) + empty
    decodes, one_answer = isinstance(model, EncoderDecoder), isinstance(model, Classifier)
    x, lengths = _padded([item.x for item in items], B, padding, K if decodes else V, rng)
    y = rng.integers(model.num_outputs, size=B if one_answer else x.shape)
    weights = np.zeros(y.shape)
    for b, item in enumerate(items):
        here = b if one_answer else (slice(len(item.x)), b)
        y[here], weights[here] = item.y, item.weights
    batch = Batch(x, y, None, weights, lengths)
    if decodes:
        source, source_lengths = _padded([item.source for item in items], B, padding, V, rng)
        return batch._replace(source=source, source_lengths=source_lengths)
    if isinstance(model, CharLM) and model.labels:
        return batch._replace(labels=np.array([*(item.label for item in items), *rng.integers(K, size=empty)]))
    return batch


def _padded(
    sequences: list[np.ndarray], B: int, padding: int, symbols: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    lengths = np.array([*map(len, sequences), *[0] * (B - len(sequences))])
    array = rng.integers(symbols, size=(max(1, lengths.max()) + padding, B))
    for b, sequence in enumerate(sequences):
        array[: len(sequence), b] = sequence
    return array, lengths


def results(model: Any, params: Parameters, batch: Batch) -> tuple[float, np.ndarray, np.ndarray]:
    """The sum of the losses, all gradients of it as a vector, and the logits."""
    assert batch.weights is not None
    grads = Parameters(model.shapes, np.full_like(params.vector, np.nan))
    loss, _ = model.loss_and_grads(params, batch, [], grads)
    assert np.isfinite(grads.vector).all()
    count = batch.weights.sum()
    return loss * count, grads.vector * count, model.predict(params, batch)


def of_row(model: Any, logits: np.ndarray, b: int, steps: int) -> np.ndarray:
    """The logits of one row's own answers."""
    return logits[b] if isinstance(model, Classifier) else logits[:steps, b]


def deviations(
    model: Any, lengths: list[tuple[int, int]], padding: int = 2, empty: int = 1, seed: int = 0
) -> dict[str, float]:
    """How far a batch is from what its items come to one by one, in loss, gradients and predictions."""
    rng = np.random.default_rng(seed)
    params, items = random_params(model, rng), items_of(model, lengths, rng)
    loss, grads, logits = results(model, params, batch_of(model, items, rng, padding, empty))
    alone = [results(model, params, batch_of(model, [item], rng)) for item in items]
    steps = [len(item.x) for item in items]
    return {
        "loss": abs(loss - sum(one[0] for one in alone)),
        "gradients": float(np.abs(grads - sum(one[1] for one in alone)).max()),
        "predictions": max(
            float(np.abs(of_row(model, logits, b, n) - of_row(model, one[2], 0, n)).max(initial=0))
            for b, (one, n) in enumerate(zip(alone, steps, strict=True))
        ),
    }
