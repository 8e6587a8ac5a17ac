"""Measures this machine, in well under a second: what products, elementwise work and calls cost on one core.

What is measured is what the formulas in `charrnn.nn.costs` are made of. Each quantity is the best of many short
timings, spread over the whole of the measurement: other programs make one longer, and never shorter.
"""

from __future__ import annotations

import bisect
import itertools
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

import numpy as np
from threadpoolctl import threadpool_limits

SECONDS = 0.6
"""How long all timings together take; a tenth of a second comes before them, when memory is taken."""

LEAST_ROUNDS = 3
"""How often each is timed at least, on however slow a machine."""

MEETING = 3e-6
"""Seconds of a meeting of processes at their barrier, of which each spins on a core of its own. Not measured, which
would take several cores that nobody else uses: 0.15 microseconds go by until one core sees what another has written,
a call from Python takes twice that, and no two arrive at once: whoever is later makes the others wait."""

GATES = 4
"""Matrices that are multiplied in turn: those of the LSTM's gates."""

WIDTHS = 256, 512, 1024
"""H of products with so many matrices of H x H: 1, 4 and 16 MiB, for the second-level cache, the third, and beyond."""

TILE = 64
"""Columns of a tile."""

MOST = 1e6
"""Multiplications in a tile, at most (`charrnn.nn.tiles`)."""

ROWS = 16
"""Rows of these products: enough for the kernels of many rows, and so few that reordering is half of the work."""

SQUARE = 512
"""Rows and columns of a large product."""

LENGTHS = 1 << 14, 1 << 18, 1 << 22
"""Elements of vectors that are multiplied, again for cache after cache."""

CALLS = 20
"""Calls that are timed together where one is too short."""

LEAST = 1e-13
"""Seconds that anything takes at least, where a difference of two timings says less."""

Curve = tuple[tuple[float, float], ...]
"""Seconds for each element, by how many bytes there are in all: pairs, from the smallest on."""

Probe = Callable[[], object]


@dataclass(frozen=True)
class Machine:
    """Holds what one core takes for the parts of training: seconds, in float32. In float64 nearly all doubles."""

    call: float
    """One NumPy call on a few elements."""
    product_call: float
    """One matrix product of a few elements."""
    multiply_add: float
    """One multiply-add of a large product."""
    packing: Curve
    """What each element of the right matrix of a product takes beside its multiply-adds, as BLAS first reorders (packs)
    that matrix; by the size of all that come in turn."""
    tiled: Curve
    """What it takes in products that are cut into tiles, so small that BLAS may take the matrix as it is."""
    vector: Curve
    """Each element of a matrix that a vector is multiplied with, by the size of the matrix."""
    elementwise: Curve
    """Each element of a multiplication of two arrays, by the size of both."""
    exponential: float
    """One exponential."""
    meeting: float = MEETING
    """One meeting of processes at their barrier."""

    def to_dict(self) -> dict[str, Any]:
        """Returns the values by name, as JSON can hold them."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Any) -> Self:
        """Returns the machine whose `to_dict` this is. Raises KeyError, TypeError or ValueError for what is none."""
        found: dict[str, Any] = {}
        for field in fields(cls):
            value, is_curve = values[field.name], field.type == "Curve"
            curve = tuple((float(size), float(each)) for size, each in (value if is_curve else [(1, value)]))
            in_order = [size for size, _ in curve] == sorted({size for size, _ in curve})
            if not curve or not in_order or not all(0 < number < math.inf for number in itertools.chain(*curve)):
                raise ValueError(f"{field.name} is {value!r}")
            found[field.name] = curve if is_curve else curve[0][1]
        return cls(**found)


TYPICAL = Machine(
    call=2e-7,
    product_call=8e-7,
    multiply_add=1.6e-11,
    packing=((1 << 20, 1.4e-10), (1 << 22, 1.4e-10), (1 << 24, 1.9e-10)),
    tiled=((1 << 20, 1e-10), (1 << 22, 1e-10), (1 << 24, 1.2e-10)),
    vector=((1 << 20, 4.6e-11), (1 << 22, 5.2e-11), (1 << 24, 7e-11)),
    elementwise=((1 << 17, 5.5e-11), (1 << 21, 8.6e-11), (1 << 25, 1.5e-10)),
    exponential=3.2e-10,
)
"""Stands in for a machine that cannot be measured, as memory is short: one with AVX2, of 120 GFLOP/s on a core."""


def at(curve: Curve, size: float) -> float:
    """Returns a curve's value at a size: between two points a mean of theirs, by the logarithm of the size."""
    k = bisect.bisect([point for point, _ in curve], size)
    if k in (0, len(curve)):
        return curve[max(0, k - 1)][1]
    (before, first), (after, second) = curve[k - 1 : k + 1]
    share = math.log(size / before) / math.log(after / before)
    return first + share * (second - first)


def measure(seconds: float = SECONDS) -> Machine:
    """Measures one core, for about so many seconds. Raises MemoryError."""
    with threadpool_limits(1, user_api="blas"):
        best = _best({**_probes_of_calls(), **_probes_of_products(), **_probes_of_passes()}, seconds)
    multiply_add = best["square"] / SQUARE**3
    call = best["calls"] / CALLS

    def packing(seconds: float, H: int) -> float:
        elements = GATES * H * H
        return max(seconds / elements - ROWS * multiply_add, LEAST)

    return Machine(
        call=call,
        product_call=best["product calls"] / CALLS,
        multiply_add=multiply_add,
        packing=tuple((_bytes(H), packing((best[f"forward {H}"] + best[f"backward {H}"]) / 2, H)) for H in WIDTHS),
        tiled=tuple((_bytes(H), packing(best[f"tiled {H}"], H)) for H in WIDTHS),
        vector=tuple((_bytes(H), best[f"vector {H}"] / (GATES * H * H)) for H in WIDTHS),
        elementwise=tuple((8.0 * n, max((best[f"multiply {n}"] - call) / n, LEAST)) for n in LENGTHS),
        exponential=max((best["exp"] - call) / LENGTHS[0], LEAST),
    )


def _bytes(H: int) -> float:
    """Returns the size of the matrices that are multiplied in turn."""
    return 4.0 * GATES * H * H


def _ones(*shape: int) -> Any:
    """Returns numbers that no timed work changes much."""
    return np.ones(shape, np.float32)


def _probes_of_calls() -> dict[str, Probe]:
    few, tiny, out = _ones(64), _ones(4, 4), _ones(4, 4)

    def repeat(function: Callable[..., object], *arguments: Any) -> None:
        for _ in range(CALLS):
            function(*arguments)

    return {
        "calls": lambda: repeat(np.multiply, few, few, few),
        "product calls": lambda: repeat(np.matmul, tiny, tiny, out),
    }


def _probes_of_products() -> dict[str, Probe]:
    """Returns products as a layer has them: of h with each gate's matrix, of da with all, of one row with all."""
    square, out = _ones(SQUARE, SQUARE), _ones(SQUARE, SQUARE)
    W = _ones(GATES * max(WIDTHS) ** 2)
    probes: dict[str, Probe] = {"square": lambda: np.matmul(square, square, out)}
    for H in WIDTHS:
        W_h = W[: GATES * H * H]
        h, a, dh, da = _ones(ROWS, H), _ones(GATES, ROWS, H), _ones(ROWS, H), _ones(ROWS, GATES * H)
        forward = h, W_h.reshape(GATES, H, H), a
        backward = da, W_h.reshape(GATES * H, H), dh
        vector = _ones(1, H), W_h.reshape(H, GATES * H), _ones(1, GATES * H)
        rows = next(rows for rows in range(ROWS, 0, -1) if ROWS % rows == 0 and rows * H * TILE <= MOST)
        tiled = (
            h.reshape(-1, 1, 1, rows, H),
            W_h.reshape(GATES, H // TILE, H, TILE),
            _ones(ROWS // rows, GATES, H // TILE, rows, TILE),
        )
        for name, arguments in (("forward", forward), ("backward", backward), ("tiled", tiled), ("vector", vector)):
            probes[f"{name} {H}"] = lambda arguments=arguments: np.matmul(*arguments)  # type: ignore[misc]
    return probes


def _probes_of_passes() -> dict[str, Probe]:
    first, second, values = _ones(max(LENGTHS)), _ones(max(LENGTHS)), _ones(LENGTHS[0])
    probes: dict[str, Probe] = {"exp": lambda: np.exp(values, first[: LENGTHS[0]])}
    for n in LENGTHS:
        arguments = first[:n], second[:n], first[:n]
        probes[f"multiply {n}"] = lambda arguments=arguments: np.multiply(*arguments)  # type: ignore[misc]
    return probes


def _best(probes: dict[str, Probe], seconds: float) -> dict[str, float]:
    """Returns the least time of each probe, of rounds in which each has its turn, twice at once."""
    best = dict.fromkeys(probes, math.inf)
    for probe in probes.values():
        probe()
    end, rounds = time.perf_counter() + seconds, 0
    while rounds < LEAST_ROUNDS or time.perf_counter() < end:
        rounds += 1
        for name, probe in itertools.chain.from_iterable(zip(probes.items(), probes.items(), strict=True)):
            began = time.perf_counter()
            probe()
            best[name] = min(best[name], time.perf_counter() - began)
    return best
