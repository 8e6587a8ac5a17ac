"""The lines of `metrics.jsonl`, and the clock behind them."""

from __future__ import annotations

import dataclasses
import math
import time
from dataclasses import dataclass
from typing import Any

from charrnn.runs.run import Run
from charrnn.tasks.base import Scores
from charrnn.training.loop import Update
from charrnn.training.progress import Progress

EVERY = 20
"""Iterations between two lines of metrics.jsonl, beside those of evaluations."""


@dataclass(frozen=True)
class Record:
    """Says where the run stands after an iteration; as a dict, it is a line of metrics.jsonl."""

    iteration: int
    epoch: float
    chars: int
    """Symbols trained on so far."""
    train_nats: float | None
    """Mean training loss since the last line of metrics.jsonl, in nats per answer; None if all was skipped."""
    learning_rate: float
    grad_norm: float | None
    """Norm of the last update's gradient, before clipping; None before the first."""
    chars_per_s: float
    """Training speed over the same iterations, evaluations and checkpoints not counted; 0 if there were none."""
    elapsed_s: float
    skipped: int
    """Batches passed over so far, because their loss or gradient was no number."""
    rollbacks: int
    """Times that the run has gone back to a checkpoint."""
    scores: Scores | None = None
    """What the task found on the validation part; None where the iteration had no evaluation."""
    sample: str | None = None
    """What the model wrote or answered, if it was time for that; it is in samples.jsonl."""

    @property
    def val_nats(self) -> float | None:
        """The validation loss; None where the iteration had no evaluation."""
        return None if self.scores is None else self.scores["nats"]

    def as_dict(self) -> dict[str, Any]:
        """Returns the line of metrics.jsonl; each score has `val_` before its name."""
        found = dataclasses.asdict(self)
        scores = found.pop("scores") or {}
        del found["sample"]
        return found | {f"val_{name}": score for name, score in scores.items()}


class Clock:
    """Counts the seconds of a run, and of its updates since the last line of metrics."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self._before, self._began = run.elapsed, time.monotonic()
        self.restart()

    def restart(self) -> None:
        """Begins a new line of metrics: nothing has been counted since."""
        self.chars, self.seconds = 0, 0.0

    def begin(self) -> None:
        """Notes that an update begins."""
        self._mark = time.monotonic()

    def stop(self, update: Update) -> None:
        """Notes that the update has ended."""
        now = self.tick()
        self.seconds += now - self._mark
        self.chars += update.chars

    def tick(self) -> float:
        """Brings `run.elapsed` up to date, and returns the time of the clock."""
        now = time.monotonic()
        self.run.elapsed = self._before + now - self._began
        return now


def record(progress: Progress, clock: Clock) -> Record:
    """Returns where the run stands now."""
    run = progress.run
    return Record(
        iteration=run.iteration,
        epoch=round(progress.epoch, 4),
        chars=run.chars,
        train_nats=math.fsum(run.losses) / len(run.losses) if run.losses else None,
        learning_rate=run.learning_rate,
        grad_norm=run.grad_norm,
        chars_per_s=round(clock.chars / max(clock.seconds, 1e-9), 1),
        elapsed_s=round(run.elapsed, 3),
        skipped=run.skipped,
        rollbacks=run.rollbacks,
        scores=run.scores,
    )
