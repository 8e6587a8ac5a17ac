"""The cost model: how long a batch and its update take on a machine, for each way to share them.

Processes are laid out as a grid, R x U: the B rows of a batch are cut into R groups, and within a group each of U
processes has some of the units of every layer, for all rows of the group. So a process has b = B/R rows and h = H/U
units. In seconds, where `packing` and the like are constants of the machine (`charrnn.machine`):

    product (m, k) @ (k, n)   k n (packing + m * multiply_add), as BLAS reorders the k n elements at every call;
                              where it is cut into tiles, k n (tiled + m * multiply_add); k n * vector for one row
    forward, a step           product (b, H) @ (G, H, h)             then, if U > 1, a meeting
    backward, a step          product (b, G*h) @ (G*h, H)            then, if U > 1, a meeting, and a sum of U terms
    elementwise               b h (16 G passes, G + states - 1 exponentials), and the tape from beyond the cache
    calls                     some 26 NumPy calls a step, each with the Python around it
    gradient of W_h           H * T b * G h multiply-adds; three times D in place of H for a layer that reads D numbers
    output layer              3 * T b * H * V / U multiply-adds, and 6 passes and an exponential of each logit
    copies                    4 passes over the weights, one scaled and one transposed
    update                    16 passes in cache over N / (R U) parameters, and 4 beyond; the sum of R gradients

It knows nothing of what cores take from each other, such as bandwidth and heat, so for many cores it is hopeful.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from charrnn.machine import Machine, at
from charrnn.nn.tiles import WITHOUT_A_COPY, tiles
from charrnn.nn.tiles import parts as parts_of_product


class Work(NamedTuple):
    """Says what an update computes."""

    gates: int
    """G, blocks of H columns in a layer's weights."""
    hidden_size: int
    """H, the units of a layer."""
    layers: int
    """L, layers of the same size, in both directions together."""
    states: int
    """Arrays that cross time: 1, or for the LSTM 2."""
    inputs: int
    """D, numbers that a layer reads at each step, added up over all layers; a layer that reads symbols has none."""
    outputs: int
    """V, answers to choose from."""
    parameters: int
    """N, all numbers that are learnt."""
    rows: int
    """B, the rows of a batch."""
    steps: int
    """T, the steps of each row."""


class ProcessGrid(NamedTuple):
    """Says how processes are laid out."""

    rows: int
    """R, groups of processes that have some of the rows each."""
    units: int
    """U, processes in a group, which have some of the units each."""

    @property
    def processes(self) -> int:
        """How many processes there are."""
        return self.rows * self.units

    def __str__(self) -> str:
        return f"{self.rows}x{self.units}"


ALONE = ProcessGrid(1, 1)

WORTH = 0.9
"""More processes are chosen where they take at most this share of the time; else fewer leave room for others."""

LEAST_UNITS = 16
"""Units that a process has at least."""

WIDTH = 4
"""Rows that BLAS multiplies at a time; where some are left over, they take as long as so many."""

PASSES, PASSES_OF_TAPE = 16, 4
"""Passes of elementwise work over each gate of a step, forward and back; and how many of them go beyond the cache."""

CALLS, CALLS_PER_GATE, CALLS_OF_UPDATE = 10, 4, 400
"""NumPy calls in a layer's step, forward and back; for each gate; and outside of all steps."""

AROUND = 1.7
"""What a call takes in a loop of Python, as a multiple of one alone."""

LOOK = 1e-7
"""Seconds in which a process sees what one more has written."""

MEETINGS = 8
"""Meetings of all processes for each update, outside of the steps, with the words around them."""


def seconds(machine: Machine, work: Work, grid: ProcessGrid) -> float:
    """Returns about how long a batch and its update take."""
    return sum(parts(machine, work, grid).values())


def choose(machine: Machine, work: Work, cores: int, splits_units: bool) -> ProcessGrid:
    """Returns the grid of at most so many processes that is fastest, or one nearly so with fewer processes.

    Of several with as many processes, that with more groups of rows is preferred.
    """
    best, least = ALONE, seconds(machine, work, ALONE)
    for grid in grids(work, cores, splits_units):
        taken = seconds(machine, work, grid)
        if taken < least * (WORTH if grid.processes > best.processes else 1):
            best, least = grid, taken
    return best


def grids(work: Work, cores: int, splits_units: bool) -> list[ProcessGrid]:
    """Returns the grids of up to so many processes that have rows and units for each, from few processes to many.

    Units are cut in parts that are equal, or whose number is a power of two.
    """
    most = max(1, min(cores, work.hidden_size // LEAST_UNITS)) if splits_units else 1
    even = [u for u in range(1, most + 1) if not work.hidden_size % u or u.bit_count() == 1]
    found = [ProcessGrid(r, u) for u in even for r in range(1, min(work.rows, cores // u) + 1)]
    return sorted(found, key=lambda grid: (grid.processes, grid.units))


def parts(machine: Machine, work: Work, grid: ProcessGrid) -> dict[str, float]:
    """Returns the seconds of each part of a batch and its update, by its name."""
    return {
        **_steps(machine, work, grid),
        **_whole_batch(machine, work, grid),
        **_update(machine, work, grid),
    }


def _share(work: Work, grid: ProcessGrid) -> tuple[int, int]:
    """Returns b and h, the rows and units of the process that has most: all others wait for it."""
    return math.ceil(work.rows / grid.rows), math.ceil(work.hidden_size / grid.units)


def _steps(machine: Machine, work: Work, grid: ProcessGrid) -> dict[str, float]:
    """Returns the seconds of what is done step by step."""
    (b, h), G, H = _share(work, grid), work.gates, work.hidden_size
    steps = work.layers * work.steps
    weights, block = 4 * G * H * h, 8 * G * b * h
    cut = parts_of_product(b, G, h, np.float32)
    tape = 4 * work.steps * b * h * (2 * G + 2 * work.states + 1)
    beyond = max(0.0, at(machine.elementwise, tape) - machine.elementwise[0][1])
    found = {
        "forward products": steps * product(machine, (b, H, h), weights, G),
        "backward products": steps * product(machine, (b, G * h // cut, H), weights, cut),
        "elementwise": steps * b * h * G * PASSES * at(machine.elementwise, block)
        + steps * b * h * (G + work.states - 1) * machine.exponential,
        "tape": steps * b * h * G * PASSES_OF_TAPE * beyond,
        "calls": steps * (CALLS + CALLS_PER_GATE * G) * AROUND * machine.call,
    }
    if grid.units > 1:
        sums = grid.units * (AROUND * machine.call + b * h * at(machine.elementwise, 8 * b * H))
        found["meetings in steps"] = steps * (2 * _meeting(machine, grid.units) + sums)
    return found


def _whole_batch(machine: Machine, work: Work, grid: ProcessGrid) -> dict[str, float]:
    """Returns the seconds of what is done once for all steps of a batch."""
    (b, h), G, H, V = _share(work, grid), work.gates, work.hidden_size, work.outputs
    characters, gates = work.steps * b, G * h
    far, near = machine.elementwise[-1][1], machine.elementwise[0][1]
    weights = work.parameters / grid.units
    of_state, of_input = work.layers * H, 3 * work.inputs
    logits = characters * V / grid.units
    return {
        "gradient of W_h": characters * of_state * gates * machine.multiply_add,
        "input": characters * of_input * gates * machine.multiply_add + 4 * characters * gates * far,
        "symbols": 2 * min(V, characters) * machine.call,
        "output layer": logits * (3 * H * machine.multiply_add + 6 * near + machine.exponential),
        "copies of weights": 4 * weights * at(machine.elementwise, 8 * weights),
        "calls of a batch": CALLS_OF_UPDATE * machine.call,
    }


def _update(machine: Machine, work: Work, grid: ProcessGrid) -> dict[str, float]:
    """Returns the seconds of adding up the gradients, and of their norm, the clipping and the optimizer."""
    mine = work.parameters / grid.processes
    near, far = machine.elementwise[0][1], at(machine.elementwise, 16 * mine)
    found = {"update": mine * (PASSES * near + 4 * far)}
    if grid.processes > 1:
        found["sum of gradients"] = mine * (grid.rows - 1) * machine.elementwise[-1][1]
        found["meetings of a batch"] = MEETINGS * (_meeting(machine, grid.processes) + 20 * AROUND * machine.call)
    return found


def _meeting(machine: Machine, processes: int) -> float:
    """Returns the seconds of a meeting: each looks at the counter of every other."""
    return machine.meeting + LOOK * (processes - 2)


def product(machine: Machine, shape: tuple[int, int, int], size: float, number: int) -> float:
    """Returns the seconds of products (m, k) @ (k, n), so many in one call; `size` is that of all right matrices.

    They are cut into tiles where training does so.
    """
    m, k, n = shape
    elements = number * k * n
    if m == 1:
        return machine.product_call + elements * at(machine.vector, size)
    packing = at(machine.packing, size)
    if m * k * n <= WITHOUT_A_COPY or tiles(m, k, n, np.float32) != (m, n):
        packing = min(packing, at(machine.tiled, size))
    if m > WIDTH // 2:
        m = WIDTH * math.ceil(m / WIDTH)
    return machine.product_call + elements * (packing + m * machine.multiply_add)
