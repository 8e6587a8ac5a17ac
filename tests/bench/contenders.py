"""One contender of the benchmark in a process of its own: trains or samples on command, and says how long it took.

    python contenders.py NAME '{"cell": "lstm", "hidden_size": 128, ...}'

reads from stdin a line with a number of iterations at a time, runs them, and answers with a line of JSON.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

LEARNING_RATE, CLIP_NORM = 2e-3, 5.0


def charrnn_training(work: dict[str, Any]) -> Callable[[], object]:
    """One iteration of charrnn's own training loop."""
    from threadpoolctl import threadpool_limits

    from charrnn import checkpoint
    from charrnn.config.resolve import Setting, resolve
    from charrnn.text.batches import Windows, split_tail
    from charrnn.text.vocabulary import Vocabulary
    from charrnn.training import loop, parallel, schedules

    keys = {
        "model.cell": work["cell"],
        "model.hidden_size": work["hidden_size"],
        "model.num_layers": work["num_layers"],
        "train.batch_size": work["batch_size"],
        "train.seq_length": work["seq_length"],
        "train.seed": 0,
        "optim.learning_rate": LEARNING_RATE,
        "optim.schedule": "constant",
        "optim.clip_norm": CLIP_NORM,
    }
    config, _ = resolve([Setting(key, value, "benchmark") for key, value in keys.items()])
    ids = np.random.default_rng(0).integers(work["vocab_size"], size=200_000).astype(np.uint8)
    vocabulary = Vocabulary("".join(chr(i) for i in range(work["vocab_size"])))
    windows = Windows(
        split_tail(ids, (1.0, 0.0, 0.0), work["batch_size"], work["seq_length"]).train, work["seq_length"]
    )
    run = checkpoint.new(config, vocabulary, checkpoint.Corpus("random", len(ids), ""))
    count = parallel.processes(run.model, work["seq_length"], work["batch_size"], work["threads"])
    gradients = None
    if count > 1:
        team = parallel.Team(run.model, work["seq_length"], work["batch_size"], run.params.vector.dtype, count)
        gradients = team.loss_and_grads
    threadpool_limits(work["threads"], user_api="blas")
    optimizer = checkpoint.build_optimizer(config)
    schedule = schedules.build("constant", LEARNING_RATE)
    updates = loop.updates(run, windows, optimizer, schedule, lambda: 0.0, gradients)
    return lambda: next(updates)


def torch_training(work: dict[str, Any]) -> Callable[[], object]:
    """The same in PyTorch, as its users write it: nn.LSTM on one-hot rows, Adam, clip_grad_norm_, carried state."""
    import torch
    from torch import nn

    torch.set_num_threads(work["threads"])
    torch.manual_seed(0)
    H, V = work["hidden_size"], work["vocab_size"]
    kind = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}[work["cell"]]
    stack, head = kind(V, H, work["num_layers"]), nn.Linear(H, V)
    parameters = [*stack.parameters(), *head.parameters()]
    adam = torch.optim.Adam(parameters, LEARNING_RATE)
    shape = work["seq_length"], work["batch_size"]
    rng = np.random.default_rng(0)
    batches = [torch.from_numpy(rng.integers(V, size=(2, *shape))) for _ in range(20)]
    carried: list[Any] = [None]
    count = [0]

    def iteration() -> float:
        x, y = batches[count[0] % len(batches)]
        count[0] += 1
        h, state = stack(nn.functional.one_hot(x, V).float(), carried[0])
        loss = nn.functional.cross_entropy(head(h).flatten(0, 1), y.flatten())
        adam.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, CLIP_NORM)
        adam.step()
        carried[0] = tuple(s.detach() for s in state) if isinstance(state, tuple) else state.detach()
        return loss.item()

    return iteration


def charrnn_sampling(work: dict[str, Any]) -> Callable[[], object]:
    """One character of charrnn's sampler."""
    from charrnn.nn.model import CharLM
    from charrnn.sampling import generate

    model = CharLM(work["vocab_size"], work["cell"], work["hidden_size"], work["num_layers"])
    params = model.init_params(np.random.default_rng(0))
    characters = generate(model, params, np.zeros(1, int), np.random.default_rng(1), samples=work["batch_size"])
    return lambda: next(characters)


def torch_sampling(work: dict[str, Any]) -> Callable[[], object]:
    """One character in PyTorch, step by step."""
    import torch
    from torch import nn

    torch.set_num_threads(work["threads"])
    H, V, B = work["hidden_size"], work["vocab_size"], work["batch_size"]
    kind = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}[work["cell"]]
    stack, head = kind(V, H, work["num_layers"]), nn.Linear(H, V)
    carried: list[Any] = [torch.zeros(1, B, dtype=torch.long), None]

    def character() -> object:
        with torch.inference_mode():
            h, carried[1] = stack(nn.functional.one_hot(carried[0], V).float(), carried[1])
            carried[0] = torch.multinomial(torch.softmax(head(h[0]), -1), 1).T
        return carried[0]

    return character


def matrix_product(work: dict[str, Any]) -> Callable[[], object]:
    """One product of two square matrices of 2000: the limit of what the processor can do."""
    from threadpoolctl import threadpool_limits

    threadpool_limits(work["threads"], user_api="blas")
    a, b = np.random.default_rng(0).random((2, 2000, 2000), np.float32)
    out = np.empty_like(a)
    return lambda: np.matmul(a, b, out=out)


CONTENDERS = {
    "charrnn_training": charrnn_training,
    "torch_training": torch_training,
    "charrnn_sampling": charrnn_sampling,
    "torch_sampling": torch_sampling,
    "matrix_product": matrix_product,
}


def peak_mib() -> float:
    """Peak memory of this process and, where the system tells, of its workers."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    for child in children.read_text().split() if children.exists() else ():
        status = Path(f"/proc/{child}/status").read_text()
        peak += next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    return peak / 1024


def main() -> None:
    """Answers until stdin ends."""
    iteration = CONTENDERS[sys.argv[1]](json.loads(sys.argv[2]))
    for line in sys.stdin:
        n = int(line)
        began = time.perf_counter()
        for _ in range(n):
            iteration()
        seconds = time.perf_counter() - began
        print(json.dumps({"seconds": seconds, "peak_mib": peak_mib()}), flush=True)


if __name__ == "__main__":
    main()
