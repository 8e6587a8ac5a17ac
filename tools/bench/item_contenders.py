"""Contenders of `items.py`, each in a process of its own, as those in `contenders.py`.

All learn from the same random items, in the same batches of like length: the same network, Adam and clipping in
float32, the loss read after every update.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import contenders
import numpy as np

from charrnn import tasks
from charrnn.config.resolve import Setting, resolve
from charrnn.config.schema import Config
from charrnn.tasks.base import Split
from charrnn.text.pairs import Pairs
from charrnn.training.preparing import batching_of, prepare

ITEMS, V, LABELS = 4000, 65, 10
LENGTHS = {"classify": (20, 160), "tag": (20, 160), "transduce": (3, 14)}
"""From the shortest text to the longest, all as often: messages; words, with answers of 0.7 to 1.2 times as much."""


def pairs(task: str) -> Pairs:
    """Random items, with answers that nothing can be learnt from."""
    rng = np.random.default_rng(0)
    least, most = LENGTHS[task]
    texts = ["".join(map(chr, rng.integers(200, 200 + V, n))) for n in rng.integers(least, most + 1, ITEMS)]
    if task == "classify":
        return Pairs("random", 0, "", [f"label {k}" for k in rng.integers(LABELS, size=ITEMS)], texts)
    lengths = [len(text) if task == "tag" else max(1, round(len(text) * rng.uniform(0.7, 1.2))) for text in texts]
    return Pairs("random", 0, "", texts, ["".join(map(chr, rng.integers(200, 200 + V, n))) for n in lengths])


def configuration(work: dict[str, Any]) -> Config:
    """The same for all."""
    keys = {
        "task.name": work["task"],
        "data.split": [1, 0, 0],
        "model.hidden_size": work["hidden_size"],
        "model.bidirectional": work["both"],
        "model.pooling": "mean" if work["task"] == "classify" else "last",
        "train.batch_size": 64,
        "train.seq_length": work["symbols"] // 64,
        "train.seed": 0,
        "train.threads": work["threads"],
        "optim.learning_rate": contenders.LEARNING_RATE,
        "optim.schedule": "constant",
        "optim.clip_norm": contenders.CLIP_NORM,
    }
    return resolve([Setting(key, value, "benchmark") for key, value in keys.items()])[0]


def split(work: dict[str, Any]) -> tuple[Any, Split]:
    """The task, and its batches."""
    config, examples = configuration(work), pairs(work["task"])
    task = tasks.find(work["task"]).of(examples, config.data, batching_of(config))
    return task, task.split(examples, config.data, batching_of(config))


def facts(work: dict[str, Any]) -> dict[str, float]:
    """How many symbols a batch has, on average and without padding; and which share of all steps is padding."""
    batches: Any = split(work)[1].train
    symbols = sum(batches.batch(k).chars for k in range(len(batches))) / len(batches)
    return {"symbols": symbols, "padded": batches.buckets.padded}


def charrnn(work: dict[str, Any]) -> Callable[[], object]:
    """One iteration of charrnn's own training loop, with as many processes as `charrnn train` would start."""
    from threadpoolctl import threadpool_limits

    from charrnn.training import gradients, loop
    from charrnn.training.trainer import plan

    prepared = prepare(configuration(work), pairs(work["task"]))
    run, stack = prepared.run, ExitStack()
    shared = plan(run)
    threadpool_limits(shared.blas_threads, user_api="blas")
    chosen = stack.enter_context(gradients.choose(run, shared))
    updates = loop.updates(run, prepared.split.train, chosen, lambda: 0.0)

    def iteration() -> object:
        assert stack, "it holds the processes for as long as this function is there"
        return next(updates)

    return iteration


def torch(work: dict[str, Any]) -> Callable[[], object]:
    """The same in PyTorch: nn.LSTM over padded sequences; the head at the steps that count, or attention by `bmm`.

    Packed sequences, which its users write, measured five times slower. In its favour, each row is turned around by
    itself for a second nn.LSTM instead, which gives the same numbers; batches are ready, and so are masks and places.
    """
    import torch as library
    from torch import nn
    from torch.nn import functional

    library.set_num_threads(work["threads"])
    library.manual_seed(0)
    task, parts = split(work)
    H, D = work["hidden_size"], work["hidden_size"] * (1 + work["both"])
    sources, kind = len(task.vocabulary) + 1, work["task"]
    outputs = {"classify": LABELS, "tag": V, "transduce": V + 1}[kind]
    identity = library.eye(max(sources, outputs))
    net = nn.ModuleDict({"encoder": nn.LSTM(sources, H)})
    if work["both"]:
        net["reverse"] = nn.LSTM(sources, H)
    if kind == "transduce":
        net["context"], net["decoder"] = nn.Linear(D, H), nn.LSTM(outputs + H, H)
        net["score"], net["output"] = nn.Linear(D, H, bias=False), nn.Linear(H + D, H)
    net["head"] = nn.Linear(H if kind == "transduce" else D, outputs)
    parameters = list(net.parameters())
    adam = library.optim.Adam(parameters, contenders.LEARNING_RATE, (0.9, 0.999), 1e-8, fused=True)
    batches, count = [_tensors(parts.train.batch(k), kind) for k in range(len(parts.train))], [0]

    def read(batch: dict[str, Any]) -> tuple[Any, Any]:
        end = (batch["lengths"] - 1)[None, :, None].expand(-1, -1, H)
        states = net["encoder"](identity[batch["source"], :sources])[0]
        if not work["both"]:
            return states, states.gather(0, end)[0]
        turned = net["reverse"](identity[batch["source"].gather(0, batch["turned"]), :sources])[0]
        back = turned.gather(0, batch["turned"][..., None].expand(-1, -1, H))
        last = library.cat([states.gather(0, end)[0], turned.gather(0, end)[0]], dim=-1)
        return library.cat([states, back], dim=-1), last

    def logits(batch: dict[str, Any]) -> Any:
        states, last = read(batch)
        if kind == "classify":
            states = states * ~batch["outside"].T[..., None]
            return net["head"](states.sum(dim=0) / batch["lengths"][:, None])
        if kind == "tag":
            return net["head"](states).flatten(0, 1)
        context = net["context"](last).expand(len(batch["x"]), -1, -1)
        h = net["decoder"](library.cat([identity[batch["x"], :outputs], context], dim=-1))[0].transpose(0, 1)
        states = states.transpose(0, 1)
        scores = h @ net["score"](states).transpose(1, 2)
        seen = library.softmax(scores.masked_fill(batch["outside"][:, None], -library.inf), dim=-1) @ states
        return net["head"](library.tanh(net["output"](library.cat([h, seen], dim=-1)))).transpose(0, 1).flatten(0, 1)

    def iteration() -> float:
        batch = batches[count[0] % len(batches)]
        count[0] += 1
        loss = functional.cross_entropy(logits(batch), batch["y"].flatten())  # -100, behind an answer, does not count
        adam.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, contenders.CLIP_NORM)
        adam.step()
        return loss.item()

    return iteration


def _tensors(batch: Any, kind: str) -> dict[str, Any]:
    """A batch of charrnn as tensors."""
    import torch as library

    given = (batch.source, batch.source_lengths) if kind == "transduce" else (batch.x, batch.lengths)
    source, lengths = (library.from_numpy(np.asarray(array, np.int64)) for array in given)
    y = np.array(batch.y, np.int64)
    if kind != "classify":
        y[np.arange(len(y))[:, None] >= batch.lengths] = -100
    steps = library.arange(len(source))[:, None]
    found = {"source": source, "lengths": lengths, "y": library.from_numpy(y)}
    found["turned"] = library.where(steps < lengths, lengths - 1 - steps, steps)
    found["outside"] = (steps >= lengths).T
    if kind == "transduce":
        found["x"] = library.from_numpy(np.asarray(batch.x, np.int64))
    return found


if __name__ == "__main__":
    contenders.main({"charrnn": charrnn, "torch": torch})
