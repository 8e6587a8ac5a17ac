"""The networks of all tasks from their equations alone: one item, one step, one vector at a time, and no padding.

Nothing here is shared with `charrnn.nn` but the names of parameters and of options, which are asked of the model. The
cells are those of the textbook. There are no gradients: finite differences of the loss are enough.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from task_networks import Item

from charrnn import textbook
from charrnn.nn.classifier import Classifier
from charrnn.nn.encoder_decoder import EncoderDecoder
from charrnn.textbook.regularizers import LayerNorm

Vector = np.ndarray


def loss(model: Any, params: dict[str, np.ndarray], items: list[Item]) -> float:
    """The mean nats of all answers of some items, in which each counts as much as its weight."""
    nats = 0.0
    for item in items:
        for score, answer, weight in zip(logits(model, params, item), answers(item), weights(item), strict=True):
            p = np.exp(score) / np.exp(score).sum()
            nats -= weight * np.log(p[answer])
    return float(nats / sum(item.weights.sum() for item in items))


def answers(item: Item) -> list[int]:
    return np.atleast_1d(item.y).tolist()


def weights(item: Item) -> list[float]:
    return np.atleast_1d(item.weights).tolist()


def logits(model: Any, params: dict[str, np.ndarray], item: Item) -> list[Vector]:
    """The scores of each answer to an item."""
    if isinstance(model, Classifier):
        states = Layers(model, params, model.bidirectional).read(one_by_one(params, "", item.x, model.vocab_size))
        return [params["head.W"].T @ pooled(model, states) + params["head.b"]]
    if isinstance(model, EncoderDecoder):
        return Writer(model, params, item.source).logits(item.x)
    told = [] if not model.labels else one_hot(item.label, model.labels)
    x = [np.concatenate([vector, told]) for vector in one_by_one(params, "", item.x, model.vocab_size)]
    states = Layers(model, params, model.bidirectional).read(x)
    return [params["head.W"].T @ np.concatenate(state) + params["head.b"] for state in states.steps]


def one_hot(k: int, size: int) -> Vector:
    return np.array([float(i == k) for i in range(size)])


def one_by_one(params: dict[str, np.ndarray], place: str, ids: np.ndarray, size: int) -> list[Vector]:
    """What stands for each symbol: a row of the embedding, where there is one, and else a one-hot vector."""
    if f"{place}embedding" in params:
        return [params[f"{place}embedding"][k] for k in ids]
    return [one_hot(k, size) for k in ids]


class States:
    """What the top layer came to, in each direction: the h of each step, and of the beginning."""

    def __init__(self, steps: list[list[Vector]], first: list[Vector]) -> None:
        self.steps, self.first = steps, first


class Layers:
    """Layers of one network that stand on each other, for one item."""

    def __init__(self, model: Any, params: dict[str, np.ndarray], both: bool, place: str = "") -> None:
        self.cell, self.gates = textbook.build(model.cell, model.activation), textbook.CELLS[model.cell][2].split()
        self.wrapped = LayerNorm(self.cell) if model.layer_norm else self.cell
        self.H, self.num_layers, self.params, self.place = model.hidden_size, model.num_layers, params, place
        self.ways = ("", "reverse.") if both else ("",)

    def weights(self, prefix: str) -> dict[str, np.ndarray]:
        """The parameters of a layer, a matrix for each gate."""
        own = {}
        for name, array in self.params.items():
            short = name.removeprefix(prefix)
            if short == name or "." in short:
                continue
            if short in ("W", "b", "gain"):
                for k, gate in enumerate(self.gates):
                    own[f"{short}_{gate}"] = array[..., k * self.H : (k + 1) * self.H]
            else:
                own[short] = array
        return own

    def state(self, prefix: str) -> dict[str, np.ndarray]:
        """The one before the first step."""
        return {name: self.weights(prefix).get(f"{name}0", np.zeros(self.H))[None] for name in self.cell.state}

    def step(self, prefix: str, x: Vector, state: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        after, _ = self.wrapped.forward(self.weights(prefix), x[None], state)
        return after

    def read(self, x: list[Vector]) -> States:
        for layer in range(self.num_layers):
            h, first = [], []
            for way in self.ways:
                prefix = f"{self.place}layers.{layer}.{way}"
                state, own = self.state(prefix), []
                first.append(state["h"][0])
                for vector in x[::-1] if way else x:
                    state = self.step(prefix, vector, state)
                    own.append(state["h"][0])
                h.append(own[::-1] if way else own)
            steps = [[way[t] for way in h] for t in range(len(x))]
            x = [np.concatenate(step) for step in steps]
        return States(steps, first)


def pooled(model: Any, states: States) -> Vector:
    """One vector for all of the steps."""
    if model.pooling == "last":
        ways = range(len(states.first))
        return np.concatenate(
            [states.steps[-1 if way == 0 else 0][way] if states.steps else states.first[way] for way in ways]
        )
    steps = [np.concatenate(step) for step in states.steps]
    if not steps:
        return np.zeros(len(np.concatenate(states.first)))
    if model.pooling == "mean":
        return sum(steps) / len(steps)
    return np.array([max(step[k] for step in steps) for k in range(len(steps[0]))])


class Writer:
    """The decoder for one source."""

    def __init__(self, model: Any, params: dict[str, np.ndarray], source: np.ndarray) -> None:
        self.model, self.params = model, params
        x = one_by_one(params, "encoder.", source, model.source_size)
        states = Layers(model, params, model.bidirectional, "encoder.").read(x)
        self.encoded = [np.concatenate(step) for step in states.steps or [states.first]]
        self.context = pooled(model, states)
        if model.context != "last":
            self.context = params["context.W"].T @ self.context + params["context.b"]
        self.layers = Layers(model, params, False, "decoder.")
        self.states = [self.layers.state(f"decoder.layers.{layer}.") for layer in range(model.num_layers)]

    def logits(self, ids: np.ndarray) -> list[Vector]:
        return [self.step(k) for k in ids]

    def step(self, k: int) -> Vector:
        """Reads a symbol, and returns the scores of the next."""
        (x,) = one_by_one(self.params, "decoder.", np.array([k]), self.model.target_size)
        x = np.concatenate([x, self.context])
        for layer in range(self.model.num_layers):
            self.states[layer] = self.layers.step(f"decoder.layers.{layer}.", x, self.states[layer])
            x = self.states[layer]["h"][0]
        if self.model.context == "attention":
            x = self.look(x)
        return self.params["head.W"].T @ x + self.params["head.b"]

    def look(self, h: Vector) -> Vector:
        p = self.params
        if self.model.attention == "dot":
            scores = [sum(h * (e @ p["attention.W"])) for e in self.encoded]
        else:
            query = h @ p["attention.query.W"]
            scores = [sum(p["attention.v"] * np.tanh(query + e @ p["attention.W"])) for e in self.encoded]
        shares = [np.exp(score) / sum(np.exp(scores)) for score in scores]
        z = sum(share * e for share, e in zip(shares, self.encoded, strict=True))
        return np.tanh(np.concatenate([h, z]) @ p["attention.output.W"] + p["attention.output.b"])


def greedy(model: Any, params: dict[str, np.ndarray], source: np.ndarray, longest: int) -> tuple[list[int], float]:
    """The likeliest symbol after each, without the one that ends it, and the log-probability of it all."""
    writer, end = Writer(model, params, source), model.target_size - 1
    written, last, total = [], end, 0.0
    while True:
        scores = writer.step(last)
        log_p = scores - np.log(np.exp(scores).sum())
        last = end if len(written) == longest else int(scores.argmax())
        total += log_p[last]
        if last == end:
            return written, float(total)
        written.append(last)
