"""Where the time of one window and its update goes, on one core: `python tools/bench/phases.py [CELL H B T]`."""

from __future__ import annotations

import statistics
import sys
import time
from collections import defaultdict
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from charrnn.arrays import Batch
from charrnn.nn import head, unroll
from charrnn.nn.model import CharLM
from charrnn.nn.parameters import Parameters
from charrnn.nn.tape import Tape
from charrnn.optim import optimizers
from charrnn.optim.clipping import norm
from charrnn.optim.options import OptimConfig

V, SECONDS = 65, 4.0
MEASURED: dict[str, tuple[Any, str]] = {
    "forward: all": (unroll, "forward"),
    "forward: scaled copy of W": (Tape, "begin_forward"),
    "forward: product of the input with W_x": (unroll, "multiply_input"),
    "forward: T products with W_h, and the sums": (Tape, "add_state_product"),
    "output layer: product": (head, "affine"),
    "output layer: softmax and loss": (head, "cross_entropy_"),
    "output layer: two products back": (head, "affine_backward"),
    "backward: all": (unroll, "backward"),
    "backward: transposed copy of W": (Tape, "begin_backward"),
    "backward: partial derivatives": (None, "partial_derivatives"),
    "backward: T products with W_h.T": (Tape, "backward_state_product"),
    "backward: gradient of W_h": (None, "param_grads"),
    "backward: gradient of W_x and b": (unroll, "_backward_input"),
}
"""Each line of the table, with the function it is the time of; None stands for the cell."""


def main() -> None:
    """Prints microseconds for each part of a window, medians over the windows of a few seconds."""
    cell, *sizes = sys.argv[1:] or ["lstm", "128", "25", "50"]
    H, B, T = map(int, sizes)
    model = CharLM(V, cell=cell, hidden_size=H)
    rng = np.random.default_rng(0)
    params, grads = model.init_params(rng), Parameters.zeros(model.shapes, np.float32)
    x, y = rng.integers(V, size=(2, T, B)).astype(np.uint8)
    batch = Batch(x, y, np.zeros(B, bool))
    state, optimizer = model.zero_state(B), optimizers.build(OptimConfig())
    slots = optimizer.init(params.vector)
    seconds: dict[str, float] = defaultdict(float)

    def timed(label: str, owner: Any, name: str) -> None:
        function = getattr(owner, name)

        def wrapper(*args: Any, **kwargs: Any) -> Any:
            began = time.perf_counter()
            result = function(*args, **kwargs)
            seconds[label] += time.perf_counter() - began
            return result

        setattr(owner, name, wrapper)

    for label, (owner, name) in MEASURED.items():
        timed(label, owner or type(model.stack.cell), name)
    windows: dict[str, list[float]] = defaultdict(list)
    with threadpool_limits(1, user_api="blas"):
        end = time.perf_counter() + SECONDS
        while time.perf_counter() < end:
            seconds.clear()
            began = time.perf_counter()
            model.loss_and_grads(params, batch, state, grads)
            seconds["window: all"] = time.perf_counter() - began
            began = time.perf_counter()
            optimizer.update(grads.vector, slots, 1e-3, norm(grads.vector))
            params.vector -= grads.vector
            seconds["update: norm, clipping, Adam"] = time.perf_counter() - began
            for label, spent in seconds.items():
                windows[label].append(spent)
    print(f"{cell} 1x{H}, B {B}, T {T}, V {V}, one core; microseconds, and share of the window")
    whole = statistics.median(windows["window: all"])
    for label in [*MEASURED, "window: all", "update: norm, clipping, Adam"]:
        if label in windows:
            spent = statistics.median(windows[label])
            print(f"{label:<46}{spent * 1e6:>10,.0f}{spent / whole:>7.0%}")


if __name__ == "__main__":
    main()
