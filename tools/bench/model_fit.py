"""How well the cost model foresees training in one process: `python tools/bench/model_fit.py [SECONDS] [CELL ...]`.

For each of some networks and numbers of rows it prints the milliseconds of a window with its update, as measured and as
predicted. Both are best times: on a machine that others use too, they are what the machine does if left alone.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from charrnn.arrays import Batch
from charrnn.costs import ALONE, Work, parts_of_update
from charrnn.environment import environment
from charrnn.machine import measure
from charrnn.nn.model import CharLM
from charrnn.nn.parameters import Parameters
from charrnn.optim import optimizers
from charrnn.optim.clipping import norm
from charrnn.optim.options import OptimConfig

V, T = 65, 16
CASES = [("lstm", 1, H, B) for H in (64, 128, 256, 512, 1024) for B in (1, 4, 16, 32, 64, 128)]
CASES += [("gru", 1, 256, 64), ("rnn", 1, 256, 64), ("lstm", 2, 128, 50), ("lstm", 2, 512, 64), ("gru", 2, 128, 8)]
LEAST_TIMINGS = 3


def main() -> None:
    """Prints a line for each case, and how far the predictions are off."""
    seconds, cells = float(([*sys.argv[1:], "1"])[0]), sys.argv[2:]
    print(f"{environment()['blas']}; V {V}, T {T}; milliseconds of a window and its update, one process")
    print(f"{'network':<14}{'B':>4}{'measured':>11}{'predicted':>11}{'ratio':>7}   the largest parts, as predicted")
    ratios, machine = [], measure()
    for cell, L, H, B in CASES:
        if cells and cell not in cells:
            continue
        model = CharLM(V, cell=cell, hidden_size=H, num_layers=L)
        measured = _best(_window(model, B), seconds)
        parts = parts_of_update(machine, Work.of(model, B, T), ALONE)
        predicted = sum(parts.values())
        ratios.append(predicted / measured)
        largest = sorted(parts, key=lambda name: -parts[name])[:4]
        told = ", ".join(f"{name} {parts[name] / predicted:.0%}" for name in largest)
        row = f"{f'{cell} {L}x{H}':<14}{B:>4}{measured * 1e3:>11,.2f}{predicted * 1e3:>11,.2f}{ratios[-1]:>7.2f}"
        print(f"{row}   {told}", flush=True)
    off = sorted(abs(math.log(ratio)) for ratio in ratios)
    within = sum(each < math.log(1.25) for each in off)
    print(f"{within} of {len(off)} within 25 %; in the middle {math.exp(off[len(off) // 2]) - 1:.0%} off")


def _window(model: CharLM, B: int) -> Callable[[], Any]:
    """Returns what does a window and its update."""
    rng = np.random.default_rng(0)
    params, grads = model.init_params(rng), Parameters.zeros(model.shapes, np.float32)
    x, y = rng.integers(V, size=(2, T, B)).astype(np.uint8)
    batch, state = Batch(x, y, np.zeros(B, bool)), model.zero_state(B)
    optimizer = optimizers.build(OptimConfig())
    slots = optimizer.init(params.vector)

    def update() -> None:
        model.loss_and_grads(params, batch, state, grads)
        optimizer.update(grads.vector, slots, 1e-4, norm(grads.vector))
        params.vector -= grads.vector

    return update


def _best(function: Callable[[], Any], seconds: float) -> float:
    """Returns the least time that a call takes, of those that are begun within so many seconds."""
    with threadpool_limits(1, user_api="blas"):
        function()
        timings: list[float] = []
        end = time.perf_counter() + seconds
        while len(timings) < LEAST_TIMINGS or time.perf_counter() < end:
            began = time.perf_counter()
            function()
            timings.append(time.perf_counter() - began)
    return min(timings)


if __name__ == "__main__":
    main()
