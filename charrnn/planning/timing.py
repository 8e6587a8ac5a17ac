"""Times what a run is made of: a few of its real batches, an evaluation, a checkpoint. All that it learns is lost."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from threadpoolctl import threadpool_limits

from charrnn.errors import DivergedError
from charrnn.nn.parameters import Parameters
from charrnn.runs import checkpoint
from charrnn.tasks.base import Examples
from charrnn.training import gradients, limits, loop
from charrnn.training.accumulation import UpdateBatches
from charrnn.training.preparing import Prepared, batching_of
from charrnn.training.progress import Progress
from charrnn.training.trainer import plan as plan_of

SECONDS = 2.0
"""How long updates are timed, and their least number: `LEAST`."""

LEAST = 3

WARM_UP = 2
"""Updates before: in the first, memory is taken, and processes begin."""

MOST = 200
"""Updates that are timed at most; small ones vary little."""

ANSWERS = 20_000
"""Answers of the validation part that are judged to time an evaluation."""


@dataclass
class Timing:
    """Says how long everything takes, in seconds."""

    updates: int = 0
    """How many were timed."""
    chars: int = 0
    """How many symbols these had."""
    update: float = 0.0
    """How long one takes, as a mean."""
    evaluation: float = 0.0
    """How long the whole validation part takes, as much as training judges of it."""
    save: float = 0.0
    """How long a checkpoint takes, without the disk."""
    memory: int = 0
    """Bytes: at its peak, of all processes where it was measured."""
    memory_is: str = "measured"
    """`measured`, or `computed`, which is a lower bound, where the system does not tell."""
    diverged: str = ""
    """What went wrong with the numbers, if anything did."""

    @property
    def chars_per_s(self) -> float:
        """Training speed."""
        return self.chars / self.updates / self.update if self.updates and self.update else 0.0


def measure(prepared: Prepared, examples: Examples, seconds: float = SECONDS) -> Timing:
    """Trains a prepared run for some updates, as `charrnn train` would, judges it and writes it to memory.

    Raises OutputError where memory is short, or a process ends.
    """
    run, split, _ = prepared
    timing, plan = Timing(), plan_of(run)
    with threadpool_limits(plan.blas_threads, user_api="blas"):
        with gradients.choose(run, plan) as compute:
            _time_updates(prepared, compute, timing, seconds)
        if split.validation is not None:
            timing.evaluation = _time_evaluation(prepared, examples)
    began = time.perf_counter()
    checkpoint.to_bytes(run)
    timing.save = time.perf_counter() - began
    peak = _peak(plan.processes)
    timing.memory, timing.memory_is = peak or limits.memory(run.config, run.model), "measured" if peak else "computed"
    return timing


def _time_updates(prepared: Prepared, compute: gradients.Gradients, timing: Timing, seconds: float) -> None:
    run, split, _ = prepared
    progress = Progress(run, len(UpdateBatches(split.train, run.config.train.accumulate)), split.validation is not None)
    durations: list[float] = []

    def done() -> float:
        timed = durations[WARM_UP:]
        enough = len(timed) >= MOST or (len(timed) >= LEAST and sum(timed) >= seconds)
        # One that takes longer than all should be told by itself, and after the warm-up.
        enough = enough or (len(durations) >= 2 and durations[-1] > seconds)
        return 1.0 if enough else min(progress.share(), 0.99)

    began = time.perf_counter()
    chars: list[int] = []
    for update in loop.updates(run, split.train, compute, done, _noting(timing)):
        now = time.perf_counter()
        durations.append(now - began)
        chars.append(update.chars)
        began = now
    first = min(WARM_UP, len(durations) - 1)
    timed = durations[first:]
    timing.updates, timing.chars, timing.update = len(timed), sum(chars[first:]), sum(timed) / len(timed)


def _noting(timing: Timing) -> Callable[[DivergedError, Parameters], None]:
    """Returns what notes that a batch diverged, and lets it be skipped."""

    def note(error: DivergedError, grads: Parameters) -> None:
        timing.diverged = timing.diverged or error.what

    return note


def _time_evaluation(prepared: Prepared, examples: Examples) -> float:
    """Returns how long the evaluation of the validation part takes, from that of a share of it."""
    run, split, _ = prepared
    assert split.validation is not None
    batching, part = batching_of(run.config), split.validation
    if len(part) > 2 * ANSWERS:
        some = run.task.split(examples, run.config.data, batching._replace(most=ANSWERS)).validation
        part = part if some is None else some
    began = time.perf_counter()
    run.task.judge(run.model, run.weights, part, lambda: False)
    return (time.perf_counter() - began) * len(split.validation) / max(1, len(part))


def _peak(processes: int) -> int | None:
    """Returns the most bytes that this process and its workers had; None where the system does not tell."""
    try:
        import resource
        import sys
    except ImportError:  # Windows
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    own, child = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return int((own + (processes - 1) * child) * unit)
