"""Measures contenders, each in a process of its own, in turns: one works while the others wait.

A round measures each once. Figures are medians over the rounds, and ratios are medians of the rounds' own ratios, since
a shared machine drifts.
"""

from __future__ import annotations

import contextlib
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib import util
from pathlib import Path
from typing import Any, NamedTuple

from shapes import FOR_JAX, Shape, products_per_character

from charrnn import cores


class Effort(NamedTuple):
    """How long to measure."""

    rounds: int
    seconds: float
    """For each contender in a round, about."""


PRODUCT_SIZE = 2000
"""Rows and columns of the two matrices whose product is the limit."""
WARM = 0.3
"""Seconds that each works before it is measured."""
SETTLE = 0.05
"""Seconds before a turn: so long, the threads of the turn before may wait for more work in a loop that fills a core."""
SEVERAL = 4
"""Cores whose speed is compared with that of one."""


class Contender:
    """A process of `contenders.py`, or of another file that is given work of another kind."""

    peak_mib: float | None = None
    """Peak memory so far; None where the system does not tell."""
    layout: str | None = None
    """How it uses the cores, where it chooses."""

    def __init__(
        self, name: str, shape: Shape, threads: int, file: Path | None = None, other: dict[str, Any] | None = None
    ) -> None:
        cell, L, H, B, T, V, E = shape
        work = {"cell": cell, "num_layers": L, "hidden_size": H, "batch_size": B, "seq_length": T, "vocab_size": V}
        work |= {"embedding_size": E, "threads": threads, "product_size": PRODUCT_SIZE}
        here = file or Path(__file__).with_name("contenders.py")
        self.name = name
        self.process = subprocess.Popen(
            [sys.executable, str(here), name, json.dumps(other or work)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, seconds: float) -> float:
        """Works so long, or for one iteration if that takes longer; iterations per second."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        time.sleep(SETTLE)
        self.process.stdin.write(f"{seconds}\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.name} ended; what it said is above")
        answer = json.loads(line)
        self.peak_mib, self.layout = answer["peak_mib"], answer["layout"]
        rate: float = answer["rate"]
        return rate

    def close(self) -> None:
        """Ends the process."""
        self.process.communicate()  # closes its input, which ends it


@contextlib.contextmanager
def started(names: list[str], kind: str, shape: Shape, threads: int) -> Iterator[dict[str, Contender]]:
    """The contenders of these names, warm, and ended afterwards; "limit" is the matrix product."""
    work = "sampling" if kind == "sampling" else "training"
    with contextlib.ExitStack() as stack:
        found = {}
        for name in names:
            found[name] = Contender("matrix_product" if name == "limit" else f"{name}_{work}", shape, threads)
            stack.callback(found[name].close)
            found[name].run(WARM)
        yield found


@contextlib.contextmanager
def busy_core() -> Iterator[None]:
    """Meanwhile, another process keeps one core busy, whichever the system gives it."""
    spin = "import os\nparent = os.getppid()\nprint(flush=True)\nwhile os.getppid() == parent: pass"
    process = subprocess.Popen([sys.executable, "-c", spin], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        yield
    finally:
        process.kill()
        process.communicate()


def installed(name: str) -> bool:
    """Whether a peer is there to be measured."""
    return util.find_spec(name) is not None


def peers(kind: str, shape: Shape) -> list[str]:
    """The other libraries that do this work here."""
    wanted = ["torch", "jax"] if kind == "training" and shape in FOR_JAX else ["torch"]
    return [name for name in wanted if installed(name)]


def heading(kind: str, shape: Shape) -> dict[str, Any]:
    """What was measured: the first entries of its row."""
    sizes = {"batch_size": shape.B, "seq_length": shape.T, "vocab_size": shape.V, "embedding_size": shape.E}
    return {"what": kind, "network": shape.network, **sizes}


def measure(kind: str, shape: Shape, threads: int, effort: Effort) -> dict[str, Any]:
    """A row: speed and memory of all contenders in one kind of work on one shape."""
    names = ["charrnn", *peers(kind, shape)]
    limit = [] if kind == "sampling" else ["limit"]
    with started(names + limit, kind, shape, threads) as contenders:
        rates: dict[str, list[float]] = {name: [] for name in contenders}
        for _ in range(effort.rounds):
            for name, contender in contenders.items():
                rates[name].append(contender.run(effort.seconds / (4 if name == "limit" else 1)))
    characters = shape.B * shape.T
    row = heading(kind, shape) | {"layout": contenders["charrnn"].layout}
    for name in names:
        prefix = "" if name == "charrnn" else f"{name}_"
        row[f"{prefix}chars_per_s"] = statistics.median(rates[name]) * characters
        row[f"{prefix}peak_mib"] = contenders[name].peak_mib
        if name != "charrnn":
            row[f"{prefix}ratio"] = median_ratio(rates["charrnn"], rates[name])
    if limit:
        used = 3 * 2 * products_per_character(shape) * characters
        row["share_of_limit"] = used / (2 * PRODUCT_SIZE**3) * median_ratio(rates["charrnn"], rates["limit"])
    return row


def measure_disturbed(shape: Shape, threads: int, effort: Effort) -> dict[str, Any]:
    """A row: the share of its speed in training that each contender keeps beside a process that fills a core."""
    row = heading("disturbed", shape)
    names = ["charrnn", *peers("disturbed", shape)]
    with started(names, "training", shape, threads) as contenders:
        quiet: dict[str, list[float]] = {name: [] for name in names}
        disturbed: dict[str, list[float]] = {name: [] for name in names}
        for _ in range(effort.rounds):
            for name, contender in contenders.items():
                quiet[name].append(contender.run(effort.seconds))
            with busy_core():
                for name, contender in contenders.items():
                    disturbed[name].append(contender.run(effort.seconds))
    for name in names:
        prefix = "" if name == "charrnn" else f"{name}_"
        row[f"{prefix}share_of_undisturbed"] = median_ratio(disturbed[name], quiet[name])
    return row


def speed_up(shape: Shape, effort: Effort) -> dict[str, Any]:
    """A row: how many times as fast as one core several are, measured where they are here, else by the cost model."""
    how = _measured_speed_up(shape, effort) if cores.available_cores() >= SEVERAL else _modelled_speed_up(shape)
    return heading("speed-up", shape) | {"cores": SEVERAL, **how}


def _measured_speed_up(shape: Shape, effort: Effort) -> dict[str, Any]:
    with (
        started(["charrnn"], "training", shape, SEVERAL) as several,
        started(["charrnn"], "training", shape, 1) as alone,
    ):
        pairs = [
            (several["charrnn"].run(effort.seconds), alone["charrnn"].run(effort.seconds)) for _ in range(effort.rounds)
        ]
    ratio = median_ratio([fast for fast, _ in pairs], [slow for _, slow in pairs])
    return {"speed_up": ratio, "layout": several["charrnn"].layout, "modelled": False}


def _modelled_speed_up(shape: Shape) -> dict[str, Any]:
    from charrnn import known_machine
    from charrnn.nn import costs
    from charrnn.nn.model import CharLM
    from charrnn.nn.work import work_of

    model = CharLM(shape.V, cell=shape.cell, hidden_size=shape.H, num_layers=shape.L, embedding_size=shape.E)
    machine, work = known_machine.known(), work_of(model, shape.B, shape.T)
    grid = costs.choose(machine, work, SEVERAL, model.splits_units)
    ratio = costs.seconds(machine, work, costs.ALONE) / costs.seconds(machine, work, grid)
    return {"speed_up": ratio, "layout": str(grid), "modelled": True}


def median_ratio(rates: list[float], others: list[float]) -> float:
    """Of the rounds' own ratios."""
    return statistics.median(a / b for a, b in zip(rates, others, strict=True))
