"""The lines of `metrics.jsonl`, and the clock behind them."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass
from typing import Any

from charrnn.runs.run import Run

EVERY = 20
"""Iterations between two lines of metrics.jsonl, beside those of evaluations."""


@dataclass(frozen=True)
class Record:
    """Where the run stands after an iteration; as a dict, a line of metrics.jsonl."""

    iteration: int
    epoch: float
    chars: int
    """Characters trained on so far."""
    train_nats: float | None
    """Mean training loss since the last line of metrics.jsonl, in nats per character; None if all was skipped."""
    learning_rate: float
    grad_norm: float | None
    """Of the last update's window, before clipping; None before the first."""
    chars_per_s: float
    """Training speed over the same iterations, evaluations and checkpoints not counted; 0 if there were none."""
    elapsed_s: float
    skipped: int
    """Windows passed over so far, because their loss or gradient was no number."""
    rollbacks: int
    """Times that the run has gone back to a checkpoint."""
    val_nats: float | None = None
    """Validation loss, on evaluations."""

    def as_dict(self) -> dict[str, Any]:
        """Without `val_nats` where there is none."""
        found = dataclasses.asdict(self)
        if self.val_nats is None:
            del found["val_nats"]
        return found


class Clock:
    """Seconds of a run, and of its updates since the last line of metrics."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self._before, self._began = run.elapsed, time.monotonic()
        self.restart()

    def restart(self) -> None:
        """Counts the updates anew."""
        self.updates, self.seconds = 0, 0.0

    def begin(self) -> None:
        """An update begins."""
        self._mark = time.monotonic()

    def stop(self) -> None:
        """It ended."""
        now = self.tick()
        self.seconds += now - self._mark
        self.updates += 1

    def tick(self) -> float:
        """Brings the run's own time up to now, which it returns."""
        now = time.monotonic()
        self.run.elapsed = self._before + now - self._began
        return now
