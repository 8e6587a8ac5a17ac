"""How well the cost model foresees training: `python tools/bench/model_fit.py [--grids] [--seconds S] [WORDS ...]`.

For each of some networks and numbers of rows it prints the milliseconds of a window with its update, as measured and as
predicted; with WORDS, of those alone whose line has one of them, such as `1x512`. With --grids it does so for each grid
of two processes too, in turns, and says which would be chosen. All times are the best of several: on a machine that
others use too, they are what it does if left alone.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from contextlib import ExitStack

import numpy as np
from threadpoolctl import threadpool_limits

from charrnn.arrays import Batch
from charrnn.cores import Plan
from charrnn.environment import environment
from charrnn.machine import measure
from charrnn.nn import costs
from charrnn.nn.costs import ALONE, ProcessGrid
from charrnn.nn.model import CharLM
from charrnn.nn.work import work_of
from charrnn.optim import optimizers
from charrnn.optim.options import OptimConfig
from charrnn.training import gradients
from charrnn.training.updating import UpdateStep

V, T = 65, 16
CASES = [("lstm", 1, H, B) for H in (64, 128, 256, 512, 1024) for B in (1, 4, 16, 32, 64, 128)]
CASES += [("gru", 1, 256, 64), ("rnn", 1, 256, 64), ("lstm", 2, 128, 50), ("lstm", 2, 512, 64), ("gru", 2, 128, 8)]
LEAST_TIMINGS = 3
TURN = 0.1
"""Seconds for which one of several grids is timed before it is another's turn."""


def main() -> None:
    """Prints a line for each case, and how far the predictions are off."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--grids", action="store_true")
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("words", nargs="*")
    asked = parser.parse_args()
    grids = [ALONE, ProcessGrid(2, 1), ProcessGrid(1, 2)] if asked.grids else [ALONE]
    machine, off = measure(), []
    print(f"{environment()['blas']}; V {V}, T {T}; milliseconds of a window and its update: measured, predicted, ratio")
    for cell, L, H, B in CASES:
        name = f"{cell} {L}x{H} B {B}"
        if asked.words and not any(word in name for word in asked.words):
            continue
        model = CharLM(V, cell=cell, hidden_size=H, num_layers=L)
        work, told = work_of(model, B, T), []
        for grid, measured in _measure(model, B, [g for g in grids if g.rows <= B], asked.seconds).items():
            predicted = costs.seconds(machine, work, grid)
            off.append(abs(math.log(predicted / measured)))
            told.append(f"{grid} {measured * 1e3:8.2f} {predicted * 1e3:8.2f} {predicted / measured:5.2f}")
        chosen = f"   {costs.choose(machine, work, 2, splits_units=True)}" if asked.grids else ""
        print(f"{name:<18}{'    '.join(told)}{chosen}", flush=True)
    off.sort()
    within = sum(each < math.log(1.25) for each in off)
    print(f"{within} of {len(off)} within 25 %; in the middle {math.exp(off[len(off) // 2]) - 1:.0%} off")


def _measure(model: CharLM, B: int, grids: list[ProcessGrid], seconds: float) -> dict[ProcessGrid, float]:
    """Returns the least time that a window and its update take in each grid, of about so many seconds for each."""
    with ExitStack() as stack:
        stack.enter_context(threadpool_limits(1, user_api="blas"))
        functions = {grid: _window(model, B, grid, stack) for grid in grids}
        best = dict.fromkeys(grids, math.inf)
        for function in functions.values():
            function()
        for _ in range(max(1, round(seconds / TURN))):
            for grid, function in functions.items():
                best[grid] = min(best[grid], _best(function))
    return best


def _window(model: CharLM, B: int, grid: ProcessGrid, stack: ExitStack) -> Callable[[], None]:
    """Returns what does a window and its update in a grid of processes, which `stack` ends."""
    rng = np.random.default_rng(0)
    params, state = model.init_params(rng), model.zero_state(B)
    x, y = rng.integers(V, size=(2, T, B)).astype(np.uint8)
    batch, optim = Batch(x, y, np.zeros(B, bool)), OptimConfig()
    slots = optimizers.build(optim).init(params.vector)
    plan = Plan(rows=grid.rows, units=grid.units)
    found = stack.enter_context(gradients.team_or_alone(model, optim, params, slots, None, plan))

    def update() -> None:
        found.compute([batch], state, [0])
        found.update(UpdateStep(1e-4, found.norm(), 0, 1))

    return update


def _best(function: Callable[[], None]) -> float:
    """Returns the least time that a call takes."""
    timings: list[float] = []
    end = time.perf_counter() + TURN
    while len(timings) < LEAST_TIMINGS or time.perf_counter() < end:
        began = time.perf_counter()
        function()
        timings.append(time.perf_counter() - began)
    return min(timings)


if __name__ == "__main__":
    main()
