"""The cost model: how long a batch and its update take on this machine, for each way to share them among processes."""

from __future__ import annotations

import math
from typing import NamedTuple

from charrnn.machine import Machine, at


class Work(NamedTuple):
    """Says what an update computes."""

    gates: int
    """G, blocks of H columns in a layer's weights."""
    hidden_size: int
    """H."""
    layers: int
    """L, layers of the same size, in both directions together."""
    outputs: int
    """V, answers to choose from."""
    rows: int
    """B."""
    steps: int
    """T."""
    parameters: int
    """N, all numbers that are learnt."""
    states: int = 1
    """Arrays that cross time: 1, or for the LSTM 2."""


    @classmethod
    def of(cls, model, rows, steps):
        """Returns the work of an update of a model."""
        stack = model.stacks[0]
        layers = sum(len(stack.prefixes) for stack in model.stacks)
        return cls(
            len(stack.cell.gates),
            model.hidden_size,
            layers,
            model.num_outputs,
            rows,
            steps,
            model.num_parameters,
            len(stack.cell.state),
        )


class Grid(NamedTuple):
    """Says how processes are laid out: the rows are cut in `rows` groups, and each layer's units among `units`."""

    rows: int
    units: int

    @property
    def processes(self) -> int:
        return self.rows * self.units


UNPACKED = 1e6


def product(m, k, n, size, machine, count=1):
    """Seconds of `count` products (m, k) @ (k, n) in turn, which read `size` bytes of right matrices in all."""
    elements = float(k * n)
    if m == 1:
        return machine.product_call + count * elements * at(machine.vector, size)
    if m > 2: m = 4 * math.ceil(m / 4)
    packing = at(machine.packing, size)
    if m * elements <= UNPACKED:
        packing = min(packing, machine.small_packing)
    return machine.product_call + count * elements * (packing + m * machine.multiply_add)

PASSES=14
ALONE = Grid(1, 1)


def parts_of_update(machine: Machine, work: Work, grid: Grid):
    G, H, L, V, B, T, N, S = work
    b, h = math.ceil(B / grid.rows), math.ceil(H / grid.units)
    W = 4.0 * G * H * h
    mac = machine.multiply_add
    call = machine.call
    block = 8.0 * b * h * G
    tape = 4.0 * T * b * h * (2 * G + 2 * S + 1)
    near, far = at(machine.elementwise, block), at(machine.elementwise, tape) 
    parts = {}
    parts["forward products"] = T * L * (product(b, H, h, W, machine, G))
    parts["backward products"] = T * L * product(b, G * H, h, W, machine)
    parts["calls"] = L * T * call * 1.7 * (10 + 4 * G)
    parts["elementwise"] = L * T * b * h * (G * PASSES * near + (G + S - 1) * machine.exponential)
    parts["tape"] = L * T * b * h * (4 * G + 6) * max(0, far - machine.elementwise[0][1])
    parts["dW"] = L * T * b * H * G * h * mac
    parts["input"] = (L - 1) * 3 * T * b * H * G * h * mac
    parts["gather"] = 4 * T * b * G * h * far + min(V, T * b) * 2 * call
    parts["head"] = 3 * T * b * H * V * mac / grid.units + T * b * V * (6 * near + machine.exponential) / grid.units
    parts["copies"] = N / grid.units * 4 * at(machine.elementwise, 4.0 * N / grid.units)
    parts["fixed"] = call * 400
    n = grid.processes
    parts["update"] = N / n * (14 * machine.elementwise[0][1] + 4 * at(machine.elementwise, 16.0 * N / n)) + 60 * call
    if n > 1:
        parts["sum"] = N / n * grid.rows * at(machine.elementwise, 8.0 * N * grid.rows / n)
        parts["meetings"] = machine.meeting * (3 + (2 * T * L if grid.units > 1 else 0))
    return parts
