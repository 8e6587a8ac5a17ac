"""One contender of the benchmark in a process of its own: trains or samples on command, and says how long it took.

    python contenders.py NAME '{"cell": "lstm", "hidden_size": 128, ...}'

reads from stdin a line with a number of seconds at a time, works so long, and answers with a line of JSON: iterations
per second, the peak memory since the process began, and how the work is laid out over cores, where that was chosen.

All contenders of a kind do the same work on random characters: the same network, window, optimizer and clipping in
float32, the state carried from window to window, the loss read after every update. Where a library can do it in several
ways, its contender does it in the fastest that was found (see each).
"""

from __future__ import annotations

import functools
import json
import os
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

LEARNING_RATE, CLIP_NORM = 2e-3, 5.0
BETA1, BETA2, EPS = 0.9, 0.999, 1e-8


def charrnn_training(work: dict[str, Any]) -> Callable[[], object]:
    """One iteration of charrnn's own training loop, with as many processes as `charrnn train` would start."""
    from threadpoolctl import threadpool_limits

    from charrnn.config.resolve import Setting, resolve
    from charrnn.runs.run import Corpus, Run
    from charrnn.tasks.language_model import LanguageModel
    from charrnn.text.streams import Windows, split_tail
    from charrnn.text.vocabulary import Vocabulary
    from charrnn.training import gradients, loop
    from charrnn.training.trainer import plan

    V, B, T = work["vocab_size"], work["batch_size"], work["seq_length"]
    keys = {
        "model.cell": work["cell"],
        "model.hidden_size": work["hidden_size"],
        "model.num_layers": work["num_layers"],
        "model.embedding_size": work["embedding_size"],
        "train.batch_size": B,
        "train.seq_length": T,
        "train.seed": 0,
        "train.threads": work["threads"],
        "optim.name": "adam",
        "optim.learning_rate": LEARNING_RATE,
        "optim.schedule": "constant",
        "optim.clip_norm": CLIP_NORM,
    }
    config, _ = resolve([Setting(key, value, "benchmark") for key, value in keys.items()])
    size = max(200_000, 20 * T * B)
    ids = np.random.default_rng(0).integers(V, size=size).astype(np.min_scalar_type(V))
    vocabulary = Vocabulary("".join(chr(i) for i in range(V)))
    windows = Windows(split_tail(ids, (1.0, 0.0, 0.0), B, T).train, T)
    run = Run.new(config, LanguageModel(vocabulary), Corpus("random", len(ids), ""))
    shared, stack = plan(run), ExitStack()
    threadpool_limits(shared.blas_threads, user_api="blas")
    found = stack.enter_context(gradients.choose(run, shared, warn=sys.exit))
    updates = loop.updates(run, windows, found, lambda: 0.0)

    def iteration() -> object:
        assert stack, "it holds the processes for as long as this function is there"
        return next(updates)

    several = f"{shared.rows}x{shared.units}" if shared.processes > 1 else ""
    iteration.layout = several or ("1" if shared.blas_threads == 1 else str(shared))  # type: ignore[attr-defined]
    return iteration


def torch_training(work: dict[str, Any]) -> Callable[[], object]:
    """The same in PyTorch, as its users write it: nn.LSTM, Adam, clip_grad_norm_, detached state.

    It reads one-hot rows, or those of nn.Embedding where there is one. In its favour: the windows are ready, one-hot
    rows are looked up in an identity matrix instead of made by `one_hot(x).float()`, and Adam is the fused one, a
    quarter faster on the smallest network here.
    """
    import torch
    from torch import nn

    torch.set_num_threads(work["threads"])
    torch.manual_seed(0)
    H, V, E = work["hidden_size"], work["vocab_size"], work["embedding_size"]
    kind = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}[work["cell"]]
    stack, head = kind(E or V, H, work["num_layers"]), nn.Linear(H, V)
    vectors = nn.Embedding(V, E).weight if E else torch.eye(V)
    parameters = [*([vectors] if E else []), *stack.parameters(), *head.parameters()]
    adam = torch.optim.Adam(parameters, LEARNING_RATE, (BETA1, BETA2), EPS, fused=True)
    batches = [torch.from_numpy(window) for window in random_windows(work)]
    carried: list[Any] = [None]
    count = [0]

    def iteration() -> float:
        x, y = batches[count[0] % len(batches)]
        count[0] += 1
        h, state = stack(nn.functional.embedding(x, vectors), carried[0])
        loss = nn.functional.cross_entropy(head(h).flatten(0, 1), y.flatten())
        adam.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, CLIP_NORM)
        adam.step()
        carried[0] = tuple(s.detach() for s in state) if isinstance(state, tuple) else state.detach()
        return loss.item()

    return iteration


def jax_training(work: dict[str, Any]) -> Callable[[], object]:
    """The same in JAX, for one LSTM layer: a whole update compiled, with `lax.scan` over the time steps.

    In its favour: the windows are ready, the input is a gather, the update reuses the memory of what it is given, and
    the scan is unrolled by five, which measured 3 to 10 % faster than one step at a time, and faster than all 25.
    """
    if hasattr(os, "sched_setaffinity"):  # XLA takes as many threads as the process may use cores; it has no setting
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: work["threads"]])
    os.environ["JAX_PLATFORMS"] = "cpu"
    import jax
    from jax import lax
    from jax import numpy as jnp

    assert (work["cell"], work["num_layers"]) == ("lstm", 1)
    H, V, B = work["hidden_size"], work["vocab_size"], work["batch_size"]
    shapes = {"W_x": (V, 4 * H), "W_h": (H, 4 * H), "b": (4 * H,), "head.W": (H, V), "head.b": (V,)}
    rng = np.random.default_rng(0)
    params = {name: jnp.asarray(rng.normal(0, 0.08, shape), jnp.float32) for name, shape in shapes.items()}

    def loss_and_state(p: Any, x: Any, y: Any, state: Any) -> Any:
        def step(state: Any, a: Any) -> Any:
            h, c = state
            i, f, g, o = jnp.split(a + h @ p["W_h"], 4, axis=-1)
            c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
            h = jax.nn.sigmoid(o) * jnp.tanh(c)
            return (h, c), h

        state, h = lax.scan(step, state, p["W_x"][x] + p["b"], unroll=5)
        log_p = jax.nn.log_softmax(h @ p["head.W"] + p["head.b"])
        return -jnp.take_along_axis(log_p, y[..., None], axis=-1).mean(), state

    @functools.partial(jax.jit, donate_argnums=range(5))
    def update(p: Any, m: Any, s: Any, n: Any, state: Any, x: Any, y: Any) -> Any:
        (loss, state), grads = jax.value_and_grad(loss_and_state, has_aux=True)(p, x, y, state)
        norm = jnp.sqrt(sum(jnp.vdot(g, g) for g in grads.values()))
        n = n + 1
        for k in p:
            g = grads[k] * jnp.minimum(1, CLIP_NORM / norm)
            m[k] = BETA1 * m[k] + (1 - BETA1) * g
            s[k] = BETA2 * s[k] + (1 - BETA2) * g * g
            p[k] = p[k] - LEARNING_RATE * (m[k] / (1 - BETA1**n)) / (jnp.sqrt(s[k] / (1 - BETA2**n)) + EPS)
        return (p, m, s, n, state), loss

    m, s = ({name: jnp.zeros_like(array) for name, array in params.items()} for _ in range(2))
    carried = [(params, m, s, jnp.float32(0), (jnp.zeros((B, H)), jnp.zeros((B, H))))]
    batches = [jnp.asarray(window) for window in random_windows(work)]
    count = [0]

    def iteration() -> float:
        x, y = batches[count[0] % len(batches)]
        count[0] += 1
        carried[0], loss = update(*carried[0], x, y)
        return float(loss)

    return iteration


def random_windows(work: dict[str, Any]) -> list[Any]:
    """Twenty times x and y, (2, T, B), for those who would not have charrnn's text and streams."""
    rng, shape = np.random.default_rng(0), (2, work["seq_length"], work["batch_size"])
    return [rng.integers(work["vocab_size"], size=shape) for _ in range(20)]


def charrnn_sampling(work: dict[str, Any]) -> Callable[[], object]:
    """One character of charrnn's sampler."""
    from threadpoolctl import threadpool_limits

    from charrnn import cores
    from charrnn.nn.model import CharLM
    from charrnn.sampling import generate

    model = CharLM(
        work["vocab_size"], cell=work["cell"], hidden_size=work["hidden_size"], num_layers=work["num_layers"]
    )
    threads = cores.blas_threads(work["batch_size"] * model.step_product, work["threads"])
    threadpool_limits(threads, user_api="blas")
    params = model.init_params(np.random.default_rng(0))
    characters = generate(model, params, np.zeros(1, int), np.random.default_rng(1), samples=work["batch_size"])
    return lambda: next(characters)


def torch_sampling(work: dict[str, Any]) -> Callable[[], object]:
    """One character in PyTorch, by nn.LSTMCell, which takes some half of nn.LSTM's time for a single step."""
    import torch
    from torch import nn

    torch.set_num_threads(work["threads"])
    torch.manual_seed(0)
    H, V, B, L = work["hidden_size"], work["vocab_size"], work["batch_size"], work["num_layers"]
    kind = {"lstm": nn.LSTMCell, "gru": nn.GRUCell, "rnn": nn.RNNCell}[work["cell"]]
    cells, head = [kind(H if layer else V, H) for layer in range(L)], nn.Linear(H, V)
    identity = torch.eye(V)
    ids, states = [torch.zeros(B, dtype=torch.long)], [None] * L

    def character() -> object:
        with torch.inference_mode():
            x = nn.functional.embedding(ids[0], identity)
            for layer, cell in enumerate(cells):
                states[layer] = state = cell(x, states[layer])
                x = state[0] if isinstance(state, tuple) else state
            ids[0] = torch.multinomial(torch.softmax(head(x), -1), 1)[:, 0]
        return ids[0]

    return character


def matrix_product(work: dict[str, Any]) -> Callable[[], object]:
    """One product of two large square matrices: the limit of what the processor can do."""
    from threadpoolctl import threadpool_limits

    threadpool_limits(work["threads"], user_api="blas")
    a, b = np.random.default_rng(0).random((2, work["product_size"], work["product_size"]), np.float32)
    out = np.empty_like(a)
    return lambda: np.matmul(a, b, out=out)


CONTENDERS = {
    "charrnn_training": charrnn_training,
    "torch_training": torch_training,
    "jax_training": jax_training,
    "charrnn_sampling": charrnn_sampling,
    "torch_sampling": torch_sampling,
    "matrix_product": matrix_product,
}


def peak_mib() -> float | None:
    """Peak memory of this process and its workers, interpreter and libraries included; None where only Linux tells.

    Of this process it is all that ever was resident at once. Of a worker it is the same without the pages of files
    and of shared memory: it maps the same libraries and the same block as this process, where they are counted. The
    peaks are added as if they came at the same moment, so the sum is never too small.
    """
    if not Path("/proc/self/status").exists():
        return None
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    peak = _status("self")["VmHWM"]
    for worker in map(_status, children):
        if "VmHWM" in worker:  # one that has ended, and was not waited for yet, has no memory
            peak += worker["VmHWM"] - worker["RssFile"] - worker["RssShmem"]
    return peak / 1024


def _status(pid: str) -> dict[str, int]:
    """What Linux says of the memory of a process, in KiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: int(value.split()[0]) for name, value in (line.split(":", 1) for line in lines) if "kB" in value}


def main(found: dict[str, Callable[[dict[str, Any]], Callable[[], object]]]) -> None:
    """Answers until stdin ends."""
    iteration = found[sys.argv[1]](json.loads(sys.argv[2]))
    for line in sys.stdin:
        seconds, elapsed, n = float(line), 0.0, 0
        began = time.perf_counter()
        while n == 0 or elapsed < seconds:
            iteration()
            n += 1
            elapsed = time.perf_counter() - began
        layout = getattr(iteration, "layout", None)
        print(json.dumps({"rate": n / elapsed, "peak_mib": peak_mib(), "layout": layout}), flush=True)


if __name__ == "__main__":
    main(CONTENDERS)
