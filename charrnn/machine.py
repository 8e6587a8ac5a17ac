"""Measures this machine, in well under a second: what products, elementwise work and calls cost on one core.

What is measured is what the formulas in `costs` are made of. Each quantity is the best of many short timings, which are
spread over the whole of the measurement: other programs make a timing longer, never shorter.
"""

from __future__ import annotations

import bisect
import itertools
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from threadpoolctl import threadpool_limits

SECONDS = 0.6
"""How long all timings together take, beside the first of each."""

LEAST_ROUNDS = 3

MEETING = 1.5e-6
"""Seconds that processes take to meet at a barrier in shared memory, of which each spins on a core of its own: a few
times the 0.1 microseconds that a line of cache takes from one core to another, and the calls from Python."""

BATCH = 16
"""Rows with which packing is measured: enough for the fastest kernels, and so few that packing is half of the work."""

Curve = tuple[tuple[float, float], ...]
"""Seconds for each element, by how many bytes there are in all: pairs, from the smallest on."""


@dataclass(frozen=True)
class Machine:
    """Holds what one core takes for the parts of training, in seconds; float32 throughout."""

    call: float
    """One NumPy call that has nearly nothing to do."""
    product_call: float
    """One small matrix product, through `np.matmul`."""
    multiply_add: float
    """One multiply-add of a large product."""
    small_packing: float
    """What a product takes for each element of its right matrix, beside its multiply-adds, where it is so small that
    BLAS may use kernels which do not reorder (pack) it."""
    packing: Curve
    """The same of other products, by the size of all matrices that are multiplied in turn."""
    vector: Curve
    """A vector times a matrix, for each element of that, by its size."""
    elementwise: Curve
    """One pass of addition or multiplication, for each element, by the size of what it reads and writes."""
    exponential: float
    """One exponential."""
    meeting: float = MEETING
    """One meeting of processes at their barrier."""

    def to_dict(self) -> dict[str, Any]:
        """Returns the values by name, as JSON can hold them."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_dict(cls, values: Any) -> Self:
        """Returns the machine whose `to_dict` this is. Raises TypeError or ValueError where it is not that of any."""
        found = {}
        for field in fields(cls):
            value = values[field.name]
            curve = isinstance(value, list)
            pairs = tuple((float(x), float(y)) for x, y in value) if curve else ((1.0, float(value)),)
            if curve != (field.type == "Curve") or not pairs or any(not 0 < v < math.inf for v in itertools.chain(*pairs)):
                raise ValueError(f"{field.name} is {value!r}")
            found[field.name] = pairs if curve else pairs[0][1]
        return cls(**found)


def at(curve: Curve, size: float) -> float:
    """Returns a curve's value at a size: between two points a mean of theirs, by the logarithm of the size."""
    k = bisect.bisect([x for x, _ in curve], size)
    if k == 0 or k == len(curve):
        return curve[max(0, k - 1)][1]
    (x0, y0), (x1, y1) = curve[k - 1 : k + 1]
    share = math.log(size / x0) / math.log(x1 / x0)
    return y0 + share * (y1 - y0)


def measure(seconds: float = SECONDS) -> Machine:
    """Measures one core, for about so many seconds."""
    with threadpool_limits(1, user_api="blas"):
        t = _best(_probes(), seconds)
    multiply_add = t["square"] / SQUARE**3
    packing = []
    for H in WIDTHS:
        elements = GATES * H * H
        over = (t[f"forward {H}"] + t[f"backward {H}"]) / 2 - BATCH * elements * multiply_add
        packing.append((4.0 * elements, max(over / elements, 1e-12)))
    small = GATES * SMALL**2
    unpacked = t["small"] - BATCH * small * multiply_add
    return Machine(
        call=t["call"],
        product_call=t["product_call"],
        multiply_add=multiply_add,
        small_packing=max(unpacked / small, 1e-12),
        packing=tuple(packing),
        vector=tuple((4.0 * GATES * H * H, t[f"vector {H}"] / (GATES * H * H)) for H in WIDTHS),
        elementwise=tuple((8.0 * n, max(t[f"add {n}"] - t["call"], 1e-12) / n) for n in LENGTHS),
        exponential=max(t["exponential"] - t["call"], 1e-12) / LENGTHS[0],
    )


GATES = 4
"""Matrices in turn, as for the LSTM's gates."""
WIDTHS = 256, 512, 1024
"""H of products with `GATES` matrices of H x H: in the second-level cache, in the third, and beyond."""
SMALL = 96
SQUARE = 512
LENGTHS = 1 << 14, 1 << 18, 1 << 22
"""Elements of vectors that are added: in the first- or second-level cache, in the third, and beyond."""


def _probes() -> dict[str, Callable[[], object]]:
    """Returns what is timed, by name."""
    def ones(*shape: int) -> Any:
        return np.ones(shape, np.float32)

    few, tiny = ones(64), ones(4, 4)
    square, result = ones(SQUARE, SQUARE), ones(SQUARE, SQUARE)
    other_long = ones(LENGTHS[-1])
    long, values = ones(LENGTHS[-1]), np.full(LENGTHS[0], -0.5, np.float32)
    scratch = ones(LENGTHS[0])
    W = ones(GATES * WIDTHS[-1] ** 2)
    probes: dict[str, Callable[[], object]] = {
        "call": lambda: _repeat(np.multiply, few, few, few),
        "product_call": lambda: _repeat(np.matmul, tiny, tiny, tiny_out),
        "square": lambda: np.matmul(square, square, result),
        "exponential": lambda: np.exp(values, scratch),
    }
    tiny_out = ones(4, 4)
    for n in LENGTHS:
        part = long[:n]
        other = other_long[:n]
        probes[f"add {n}"] = lambda part=part, other=other: np.multiply(part, other, part)
    for H in (*WIDTHS, SMALL):
        gates = W[: GATES * H * H].reshape(GATES, H, H)
        flat = gates.reshape(GATES * H, H)
        whole = gates.reshape(H, GATES * H)
        h, a = ones(BATCH, H), ones(GATES, BATCH, H)
        da = ones(BATCH, GATES * H)
        h1, a1 = ones(1, H), ones(1, GATES * H)
        if H == SMALL:
            probes["small"] = lambda h=h, gates=gates, a=a: np.matmul(h, gates, a)
            continue
        probes[f"forward {H}"] = lambda h=h, gates=gates, a=a: np.matmul(h, gates, a)
        probes[f"backward {H}"] = lambda h=h, flat=flat, da=da: np.matmul(da, flat, h)
        probes[f"vector {H}"] = lambda h1=h1, whole=whole, a1=a1: np.matmul(h1, whole, a1)
    return probes


CALLS = 20


def _repeat(function, *arguments) -> None:
    for _ in range(CALLS):
        function(*arguments)


def _best(probes: dict[str, Callable[[], object]], seconds: float) -> dict[str, float]:
    """Returns the least time of each probe, of rounds in which each has its turn."""
    best = dict.fromkeys(probes, math.inf)
    repeats = {"call": CALLS, "product_call": CALLS}
    for probe in probes.values():
        probe()
    end, rounds = time.perf_counter() + seconds, 0
    while rounds < LEAST_ROUNDS or time.perf_counter() < end:
        for name, probe in probes.items():
            for _ in range(2):
                began = time.perf_counter()
                probe()
                best[name] = min(best[name], (time.perf_counter() - began) / repeats.get(name, 1))
        rounds += 1
    return best
