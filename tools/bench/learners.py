"""Trains one network as charrnn does, or as PyTorch does, for `time_to_loss.py`, which starts a process for each:

    python learners.py NAME '{"text": "harbour", "settings": {...}, "updates": 1000, "checked": 10, "threads": 2}'

Its first line of JSON has the losses of the first updates without dropout, by which it is seen that both train the
same. Then it reads numbers of updates from stdin. It makes so many, and answers with the seconds that they took and the
validation loss after them, which is computed by one function for both and not timed.

PyTorch begins with charrnn's weights, and reads the batches that charrnn cuts. An LSTM has two biases there, of which
one begins with charrnn's and the other stays at zero: with Adam, two biases that learn are one at twice the rate.
"""

from __future__ import annotations

import json
import sys
import time
from contextlib import ExitStack
from typing import Any, Protocol

import numpy as np
from threadpoolctl import threadpool_limits

from charrnn import tasks
from charrnn.arrays import Array
from charrnn.cli.common import library
from charrnn.config.resolve import Setting, resolve
from charrnn.errors import CharrnnError
from charrnn.optim import schedules
from charrnn.optim.schedules import Position
from charrnn.training import gradients, loop
from charrnn.training.preparing import Prepared, prepare
from charrnn.training.trainer import plan

Work = dict[str, Any]


class Learner(Protocol):
    """Trains a network."""

    def update(self) -> float:
        """Makes an update; the loss of its batch before it."""

    def write_weights(self) -> None:
        """Puts the weights where charrnn judges them."""

    def close(self) -> None:
        """Ends what was started."""


def prepared(work: Work, **changed: Any) -> Prepared:
    """The run before its first update: text, batches, network and weights are the same for the same work."""
    settings = work["settings"] | {"train.threads": work["threads"]} | changed
    config, _ = resolve([Setting(key, value, "benchmark") for key, value in settings.items()])
    examples = tasks.find(config.task.name, config.data).read(library(), [work["text"]], config.data)
    return prepare(config, examples)


class Charrnn:
    """charrnn's own loop, with as many processes as `charrnn train` would start."""

    def __init__(self, given: Prepared, work: Work) -> None:
        run, shared = given.run, plan(given.run)
        threadpool_limits(shared.blas_threads, user_api="blas")
        self.stack = ExitStack()
        computed = self.stack.enter_context(gradients.choose(run, shared, warn=sys.exit))
        self.updates = loop.updates(run, given.split.train, computed, lambda: run.iteration / work["updates"])

    def update(self) -> float:
        return next(self.updates).nats

    def write_weights(self) -> None:
        """They are there."""

    def close(self) -> None:
        self.stack.close()


class Torch:
    """The same in PyTorch, as its users write it: nn.LSTM, nn.Dropout, AdamW, clip_grad_norm_, detached state.

    In its favour: one-hot rows are looked up in an identity matrix, and Adam is the fused one.
    """

    def __init__(self, given: Prepared, work: Work) -> None:
        import torch
        from torch import nn

        torch.set_num_threads(work["threads"])
        torch.manual_seed(given.run.config.train.seed)
        self.run, self.batches, self.total = given.run, given.split.train, work["updates"]
        model, optim = given.run.config.model, given.run.config.optim
        V, H, L = given.run.model.vocab_size, model.hidden_size, model.num_layers
        self.lstm = nn.LSTM(V, H, L, dropout=model.dropout if L > 1 else 0.0)
        self.dropout, self.head = nn.Dropout(model.dropout), nn.Linear(H, V)
        self.identity, self.carried, self.count = torch.eye(V), None, 0
        with torch.no_grad():
            for layer in range(L):
                zero = getattr(self.lstm, f"bias_hh_l{layer}")
                zero.zero_()
                zero.requires_grad_(False)
            for tensor, array in self.pairs():
                tensor.copy_(torch.from_numpy(np.ascontiguousarray(array)))
        self.parameters = [tensor for tensor, _ in self.pairs()]
        self.schedule, self.clip_norm = schedules.build(optim), optim.clip_norm
        decayed = [tensor for tensor in self.parameters if tensor.ndim == 2]  # as in charrnn, biases do not decay
        others = [tensor for tensor in self.parameters if tensor.ndim != 2]
        self.adam = torch.optim.AdamW(
            [{"params": decayed, "weight_decay": optim.weight_decay}, {"params": others, "weight_decay": 0.0}],
            optim.learning_rate,
            (optim.beta1, optim.beta2),
            optim.eps,
            fused=True,
        )

    def pairs(self) -> list[tuple[Any, Array]]:
        """Each tensor that learns, with the view of charrnn's weights that it is the same as: both have i, f, g, o."""
        params, H = self.run.params, self.run.config.model.hidden_size
        found = [(self.head.weight, params["head.W"].T), (self.head.bias, params["head.b"])]
        for layer in range(self.lstm.num_layers):
            W, b = params[f"layers.{layer}.W"], params[f"layers.{layer}.b"]
            found += [(getattr(self.lstm, f"weight_hh_l{layer}"), W[:H].T)]
            found += [(getattr(self.lstm, f"weight_ih_l{layer}"), W[H:].T)]
            found += [(getattr(self.lstm, f"bias_ih_l{layer}"), b)]
        return found

    def update(self) -> float:
        import torch
        from torch import nn

        batch = self.batches.batch(self.count)
        x, y = (torch.from_numpy(ids.astype(np.int64)) for ids in (batch.x, batch.y))
        position = Position(self.count, self.count // len(self.batches), self.count / self.total)
        h, state = self.lstm(nn.functional.embedding(x, self.identity), None if batch.starts.all() else self.carried)
        loss = nn.functional.cross_entropy(self.head(self.dropout(h)).flatten(0, 1), y.flatten())
        self.adam.zero_grad()
        loss.backward()
        if self.clip_norm is not None:
            nn.utils.clip_grad_norm_(self.parameters, self.clip_norm)
        for group in self.adam.param_groups:
            group["lr"] = self.schedule(position)
        self.adam.step()
        self.carried = tuple(part.detach() for part in state)
        self.count += 1
        return float(loss.item())

    def write_weights(self) -> None:
        for tensor, array in self.pairs():
            array[...] = tensor.detach().numpy()

    def close(self) -> None:
        """There is nothing to end."""


LEARNERS = {"charrnn": Charrnn, "torch": Torch}


def first_losses(name: str, work: Work) -> list[float]:
    """The losses of the first updates, with nothing left to chance."""
    learner: Learner = LEARNERS[name](prepared(work, **{"model.dropout": 0.0}), work)
    try:
        return [learner.update() for _ in range(work["checked"])]
    finally:
        learner.close()


def main() -> None:
    """Answers until stdin ends."""
    name, work = sys.argv[1], json.loads(sys.argv[2])
    print(json.dumps({"first": first_losses(name, work)}), flush=True)
    given = prepared(work)
    learner: Learner = LEARNERS[name](given, work)
    run, validation = given.run, given.split.validation
    try:
        for line in sys.stdin:
            began = time.perf_counter()
            for _ in range(int(line)):
                learner.update()
            seconds = time.perf_counter() - began
            learner.write_weights()
            nats = run.task.judge(run.model, run.weights, validation, lambda: False)["nats"]
            print(json.dumps({"seconds": seconds, "nats": nats}), flush=True)
    finally:
        learner.close()


if __name__ == "__main__":
    try:
        main()
    except CharrnnError as error:
        raise SystemExit(str(error)) from None
