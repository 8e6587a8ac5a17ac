"""What ranks bring: `python tools/bench/scaling.py [--quick] [--launcher "mpiexec -n"]`; needs mpi4py and an MPI.

It takes two to three minutes, and prints what docs/scaling.md has under "Measured" and "On paper".

It trains on 1, 2 and 4 ranks of one process each: with the same rows for all of them together (strong scaling), and
with the same rows for each (weak scaling). It also measures the all-reduce, fits a latency and a bandwidth to it, and
computes from these and from the speed of one rank how long an update should take; beside it stands how long it took.
Last it carries that to networks and numbers of ranks that are not here. Times are those of the fastest updates and sums
of many, as on a busy machine the others tell more of its other work. Whatever is set for a BLAS of another machine,
such as OPENBLAS_CORETYPE, should not be set.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import pickle
import platform
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

SHAPES = ((128, 64, 64), (512, 64, 64))
"""Units of one LSTM layer, rows of a batch, and steps."""

RANKS = (1, 2, 4)
FAR = (2, 8, 32, 128, 1024)
"""Numbers of ranks on paper."""
FEW_ROWS = (4, 8, 16, 32)
"""Rows at which one rank is measured too: with fewer, it is slower for each."""

SIZES = (1 << 12, 1 << 16, 1 << 20, 1 << 22)
"""Numbers of 4 bytes that are added up, to measure the all-reduce."""


class Network(NamedTuple):
    """Holds what an all-reduce costs: n ranks send 2 (n - 1) messages each, of 2 (n - 1) / n of the bytes together."""

    latency: float
    """Seconds for a message."""
    bandwidth: float
    """Bytes per second, of each rank."""

    def seconds(self, ranks: int, size: int) -> float:
        """How long it takes to add up `size` bytes of all ranks."""
        return 2 * (ranks - 1) * self.latency + 2 * (ranks - 1) / ranks * size / self.bandwidth


PAPER = {
    "Ethernet": Network(25e-6, 1.1e9),
    "InfiniBand": Network(2e-6, 11e9),
}
"""Networks between machines, of 10 and of 100 Gb/s, as they are commonly measured."""

SLOW = 1e-5
"""The latency of a network on which it is asked what several batches for an update save."""


class Measured(NamedTuple):
    """Holds what was measured of one network with batches of one size; times are in seconds."""

    units: int
    rows: int
    steps: int
    parameters: int
    whole: float
    """An iteration, with all that belongs to it."""
    step: float
    """The optimizer's part of it, which rank 0 does before the others do."""
    order: float
    """What rank 0 does for each rank, to give it its rows."""


def measure(shape: tuple[int, int, int], updates: int, together: Any) -> Measured:
    """Trains a network for some updates on all ranks."""
    from charrnn import tasks
    from charrnn.cli import common
    from charrnn.config.resolve import Setting, resolve
    from charrnn.training import gradients, leading, loop
    from charrnn.training.accumulation import pieces_of
    from charrnn.training.preparing import prepare
    from charrnn.training.updating import UpdateStep

    H, B, T = shape
    values = {"model.hidden_size": H, "train.batch_size": B, "train.seq_length": T, "train.threads": 1, "train.seed": 1}
    config = resolve([Setting(key, value, "here") for key, value in values.items()])[0]
    examples = tasks.find(config.task.name, config.data).read(common.library(), ["harbour"], config.data)
    run, split, _ = prepare(config, examples)
    with leading.lead(together, run, Path("runs"), leading.plan(run, together), print) as leader:
        end = updates + 3
        marks = [time.perf_counter() for _ in loop.updates(run, split.train, leader, lambda: run.iteration / end)]
        whole = pieces_of([split.train.batch(0)], [0])
        order = fastest(lambda: pickle.dumps(leader._step(0, None, whole, None)), 10 * updates)
    one = gradients.alone(run)
    step = fastest(lambda: one.update(UpdateStep(1e-3, 1.0, made=end, number=end)), updates)
    return Measured(H, B, T, run.model.num_parameters, min(np.diff(marks)[2:]), step, order)


def fastest(call: Callable[[], Any], times: int) -> float:
    """Seconds of the fastest of some calls."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        call()
        taken.append(time.perf_counter() - began)
    return min(taken)


def seconds_of_sums(together: Any, size: int, rounds: int) -> float:
    """Seconds of the fastest all-reduce of `size` numbers."""
    vector, taken = np.ones(size, np.float32), []
    for _ in range(rounds):
        together.comm.Barrier()
        began = time.perf_counter()
        together.add(vector)
        taken.append(time.perf_counter() - began)
        vector[...] = 1
    return min(taken)


def as_rank(updates: int) -> None:
    """What each rank does; rank 0 prints what it measured as JSON."""
    from threadpoolctl import threadpool_limits

    from charrnn.training import world
    from charrnn.training.following import follow

    together = world.join()
    n = together.size
    with threadpool_limits(1, user_api="blas"):
        sums = {size: seconds_of_sums(together, size, 4 * updates) for size in SIZES} if n > 1 else {}
        if together.rank:
            follow(together)
        else:
            found: list[Any] = []
            for H, B, T in SHAPES:
                rows = {B, B * n} | (set(FEW_ROWS) if n == 1 else set())
                found += [measure((H, b, T), updates, together) for b in sorted(rows)]
            print(json.dumps({"updates": found, "sums": sorted(sums.items())}), flush=True)
        together.leave(0)


def measured(launcher: list[str], ranks: int, updates: int) -> dict[str, Any]:
    """What so many ranks measured."""
    command = [*launcher, str(ranks), sys.executable, __file__, "--rank", str(updates)]
    env = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=900, check=False)
    if done.returncode:
        sys.exit(f"{shlex.join(command)} ended with {done.returncode}: {done.stderr.strip()}")
    return dict(json.loads(done.stdout))


def fitted(ranks: int, sums: list[list[float]]) -> Network:
    """The latency and the bandwidth that explain how long sums took: the smallest and the largest decide."""
    (few, short), (many, long) = sums[0], sums[-1]
    per_byte = (long - short) / (4 * (many - few))
    bandwidth = 2 * (ranks - 1) / ranks / per_byte
    latency = max(0.0, short - 4 * few * per_byte) / (2 * (ranks - 1))
    return Network(latency, bandwidth)


def seconds_alone(table: dict[int, float], rows: float) -> float:
    """How long one rank takes for so many rows, between and beyond those that were measured."""
    known = sorted(table)
    if rows >= known[-1]:
        return table[known[-1]] * rows / known[-1]
    return float(np.interp(rows, known, [table[row] for row in known]))


def overhead(ranks: int, network: Network, one: Measured) -> float:
    """How much longer an update takes on several ranks than the rows of one of them take alone."""
    if ranks == 1:
        return 0.0
    return network.seconds(ranks, 4 * one.parameters) + one.step + ranks * one.order


def share(ranks: int, network: Network, one: Measured, compute: float, accumulate: int = 1) -> float:
    """Which share of n times one rank several ranks reach: `compute` is what a batch of one of them takes alone."""
    extra = overhead(ranks, network, one) + (accumulate - 1) * ranks * one.order * (ranks > 1)
    return accumulate * compute / (accumulate * compute + extra)


def processor() -> str:
    """What this machine says that it computes with."""
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    return " ".join(found[1].split()) if found else platform.machine()


def lines(found: dict[int, dict[str, Any]], cores: int) -> Iterator[str]:
    """The tables, as Markdown."""
    networks = {n: fitted(n, found[n]["sums"]) if n > 1 else Network(0, 1) for n in found}
    updates = {n: [Measured(*entry) for entry in found[n]["updates"]] for n in found}
    alone: dict[int, dict[int, float]] = {}
    for one in updates[1]:
        alone.setdefault(one.units, {})[one.rows] = one.whole
    (_, _, steps), *_ = SHAPES
    yield (
        f"{cores} cores ({processor()}), load {os.getloadavg()[0]:.1f} at the end. One layer of LSTM, T {steps}, "
        f"float32; each rank is one process with one thread of BLAS.\n"
    )
    yield "| ranks | latency, us | bandwidth, MB/s |\n| --: | --: | --: |"
    yield from (
        f"| {n} | {net.latency * 1e6:,.0f} | {net.bandwidth / 1e6:,.0f} |" for n, net in networks.items() if n > 1
    )
    yield "\n| units | rows | ranks | chars/s | times one rank | predicted |\n| --: | --: | --: | --: | --: | --: |"
    for n, entries in updates.items():
        for one in entries:
            if n > 1 or one.rows in [B for _, B, _ in SHAPES]:
                together = seconds_alone(alone[one.units], one.rows)
                predicted = seconds_alone(alone[one.units], one.rows / n) * max(1, n / cores)
                predicted += overhead(n, networks[n], one)
                yield (
                    f"| {one.units} | {one.rows} | {n} | {one.rows * one.steps / one.whole:,.0f} | "
                    f"{together / one.whole:.2f} | {together / predicted:.2f} |"
                )
    yield "\nOn paper:\n"
    yield f"| units | rows of a rank | network | `train.accumulate` | {' | '.join(f'{n:,}' for n in FAR)} |"
    yield f"| --: | --: | --- | --: {'| --: ' * len(FAR)}|"
    for one in {entry.units: entry for entry in updates[1]}.values():
        for rows, (name, network), many in itertools.product((8, 64, 256), PAPER.items(), (1, 8)):
            if many > 1 and (rows == 256 or network.latency < SLOW):
                continue  # there is nothing left to save
            compute = seconds_alone(alone[one.units], rows)
            shares = [f"{share(n, network, one, compute, many):.0%}" for n in FAR]
            yield f"| {one.units} | {rows} | {name} | {many} | {' | '.join(shares)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="few updates, for a look")
    parser.add_argument("--launcher", default=None, help="what starts ranks, up to their number")
    parser.add_argument("--rank", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.rank:
        as_rank(given.rank)
        return
    near = Path(sys.executable).with_name("mpiexec")
    launcher = shlex.split(given.launcher or f"{near if near.exists() else 'mpiexec'} -n")
    cores = len(os.sched_getaffinity(0))
    found = {n: measured(launcher, n, 3 if given.quick else 20) for n in RANKS}
    print("\n".join(lines(found, cores)))


if __name__ == "__main__":
    main()
