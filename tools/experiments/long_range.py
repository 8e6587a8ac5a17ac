"""A flag, and much later a question about it: which cells can learn to remember? Prints a table in Markdown.

    python tools/experiments/long_range.py [DELAY] [CELL ...]

Each line of the text is a flag, `a` or `b`, then DELAY (50) random letters, a question mark, and the flag again. Only
the answer is worth remembering anything for, and a gradient must reach back over all the letters to teach that.
"""

from __future__ import annotations

import sys
import time

import numpy as np
from threadpoolctl import threadpool_limits

from charrnn.arrays import Batch
from charrnn.nn.cells import CELLS
from charrnn.nn.model import CharLM
from charrnn.nn.parameters import Parameters
from charrnn.optim import optimizers
from charrnn.optim.options import OptimConfig

B, H, ITERATIONS, EVERY, SEEDS = 32, 32, 3000, 50, (0, 1, 2)
FORGET_BIAS = 4.0
"""sigmoid(4) = 0.98: of what an LSTM keeps, a third is left after fifty steps; of 0.73, its default, nothing."""
SYMBOLS = "ab.?cdef"
DEFAULT = ("tanh", "he", 1e-2)
PLAIN = [DEFAULT, ("relu", "he", 1e-2), ("sigmoid", "he", 1e-2), ("relu", "he", 1e-3), ("relu", "identity", 1e-3)]
"""Of the plain network: the activation, how weights begin, and the learning rate."""


def lines(rng: np.random.Generator, delay: int) -> tuple[np.ndarray, np.ndarray]:
    """Input and target, both (T, B); the last target is the answer."""
    flags = rng.integers(2, size=(1, B))
    middle = rng.integers(4, len(SYMBOLS), size=(delay, B))
    text = np.concatenate([flags, middle, np.full((1, B), SYMBOLS.index("?")), flags])
    return text[:-1], text[1:]


def learn(cell: str, kind: tuple[str, str, float], delay: int, seed: int) -> int | None:
    """Iterations until every answer of two batches in a row was right; None if that never came."""
    activation, init, learning_rate = kind
    rng = np.random.default_rng(seed)
    model = CharLM(len(SYMBOLS), cell=cell, hidden_size=H, activation=activation)
    params = model.init_params(rng, init=init, forget_bias=FORGET_BIAS)
    grads = Parameters.zeros(model.shapes, np.float32)
    optimizer = optimizers.build(OptimConfig(clip_norm=1.0))
    slots, state, starts, right_before = optimizer.init(params.vector), model.zero_state(B), np.ones(B, bool), False
    for iteration in range(1, ITERATIONS + 1):
        x, y = lines(rng, delay)
        model.loss_and_grads(params, Batch(x, y, starts), state, grads)
        optimizer.update(grads.vector, slots, learning_rate)
        params.vector -= grads.vector
        if iteration % EVERY == 0:
            x, y = lines(rng, delay)
            logits, _ = model.forward(params, x, state, starts)
            right = bool((logits[-1].argmax(axis=-1) == y[-1]).all())
            if right and right_before:
                return iteration
            right_before = right
    return None


def main() -> None:
    """A line for each cell."""
    delay = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    print(f"| cell | learnt, of {len(SEEDS)} | after iterations |\n| --- | --- | --- |")
    for cell in sys.argv[2:] or CELLS:
        for kind in PLAIN if cell == "rnn" else [DEFAULT]:
            began = time.perf_counter()
            with threadpool_limits(1):  # networks so small are slower on two
                found = [learn(cell, kind, delay, seed) for seed in SEEDS]
            learnt = [str(n) for n in found if n]
            name = f"{cell}, {', '.join(map(str, kind))}" if cell == "rnn" else cell
            print(f"| `{name}` | {len(learnt)} | {', '.join(learnt) or 'never'} |", flush=True)
            print(f"{name}: {time.perf_counter() - began:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
