"""How many runs this machine trains at once, by its cores and its memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from charrnn import cores, system
from charrnn.sweeping.combining import Combination
from charrnn.training import limits

PROCESS = 64 << 20
"""Bytes that Python, NumPy and BLAS take, whatever is trained."""

PEAK = 1.5
"""How much more than `limits.memory`, a lower bound, a run takes at its peak: 1.2 to 1.6 times were measured."""

MOST = 0.9
"""Share of the memory that all runs may take together."""


class Capacity(NamedTuple):
    """Says how many runs are trained at once, and what each has."""

    jobs: int
    threads: int
    """Cores for each run that does not say so itself."""
    memory: int
    """Bytes that the largest run takes, about."""
    short: bool
    """Whether there would be cores for more runs at once, but no memory."""


def find(jobs: int | None, combinations: Sequence[Combination]) -> Capacity:
    """Returns how these runs are trained: `jobs` at once, or where that is None, as many as suits this machine.

    One core for each run is best: what is shared among cores costs some of them.
    """
    available, runs = cores.available_cores(), max(1, len(combinations))
    needed = max((one.config.train.threads or 1 for one in combinations), default=1)
    memory = max(map(memory_of, combinations), default=0)
    by_cores = min(jobs or max(1, available // needed), runs)
    at_once = by_cores
    if jobs is None and memory:
        at_once = max(1, int(min(MOST * system.most_memory() / memory, by_cores)))
    return Capacity(at_once, max(1, available // at_once), memory, at_once < by_cores)


def memory_of(combination: Combination) -> int:
    """Returns about how many bytes a run takes, as its configuration tells: its text and its symbols not counted."""
    config = combination.config
    model, _ = combination.kind.probe(config.model)
    return PROCESS + int(PEAK * limits.memory(config, model))
