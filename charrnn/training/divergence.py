"""What is done about a run that has diverged: a loss or gradient is infinite, not a number, or hopeless."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from charrnn.errors import DivergedError
from charrnn.nn.parameters import Parameters
from charrnn.optim.options import OptimConfig
from charrnn.runs.places import DIVERGED
from charrnn.runs.run import Run
from charrnn.tasks.base import Split
from charrnn.training import patience, resuming
from charrnn.training.accumulation import UpdateBatches
from charrnn.training.more import ends, left
from charrnn.training.progress import Progress
from charrnn.training.saving import Saver

MOST_SKIPPED = 20
"""Batches that may be skipped one after another; if more are bad, it is the weights that are."""

MOST_ROLLBACKS = 3
"""Times that a run may go back; each halves the learning rate."""

MOST_ROWS = 8
"""Rows of the batch that `diverged.json` describes: those with the largest loss."""


class Divergence:
    """Does what `train.on_divergence` says: stops, skips the batch, or goes back to the last checkpoint."""

    def __init__(self, progress: Progress, split: Split, saver: Saver) -> None:
        self.run = progress.run
        self.progress = progress
        self.split = split
        self.saver = saver
        self._reported = False
        """Whether `diverged.json` tells of the error that is on its way."""

    def on_batch(self, error: DivergedError, grads: Parameters) -> None:
        """Writes `diverged.json`. Returns if the batch is to be skipped, and else raises DivergedError."""
        run, saver = self.run, self.saver
        self._report(error, grads)
        where = f"{error.what}; see {saver.directory.path / DIVERGED}"
        if run.config.train.on_divergence != "skip":
            raise DivergedError(where)
        if run.skipped_in_a_row >= MOST_SKIPPED:
            raise DivergedError(f"{where}; {MOST_SKIPPED} batches before it were skipped already")
        if not run.skipped:
            saver.warn(f"{where}; its batch is skipped, and so will be others like it")
        self._reported = False

    def roll_back(self, error: DivergedError) -> None:
        """Takes the run back to its last checkpoint, at half the learning rate.

        Raises DivergedError, with what to do, where the configuration does not ask for it, or it was done too often.
        """
        run, saver = self.run, self.saver
        if not self._reported:
            self._report(error, None)
        self._reported = False
        if run.config.train.on_divergence != "rollback":
            raise DivergedError(error.what, self._advice()) from error
        if run.rollbacks >= MOST_ROLLBACKS:
            what = f"{error.what}; the rate was halved {MOST_ROLLBACKS} times already"
            raise DivergedError(what, self._advice()) from error
        earlier, _ = saver.directory.newest()
        run.roll_back(earlier)
        if earlier.config.train.eval_chars != run.config.train.eval_chars:
            run.best, run.best_at = None, 0  # it was measured on other examples than those to come
            patience.begin_anew(run, forget=True)
        run.rollbacks += 1
        saver.directory.trim_metrics(self.progress.last_line)
        saver.warn(
            f"{error.what}; back to iteration {run.iteration:,}, and on with the learning rate at half, "
            f"for the {('first', 'second', 'third')[run.rollbacks - 1]} time of {MOST_ROLLBACKS}"
        )

    def _report(self, error: DivergedError, grads: Parameters | None) -> None:
        """Writes `diverged.json`."""
        self.saver.complete()
        facts = report(self.run, self.split, error.what, grads)
        self.saver.tolerate(DIVERGED, lambda: self.saver.directory.write_diverged(facts))
        self._reported = True

    def warn_of_the_last(self) -> list[str]:
        """Returns a line for a run that is to go on as it did when it diverged, and will again; else nothing."""
        run, (at, rate) = self.run, self.saver.directory.diverged_at()
        if at <= run.iteration or self.progress.complete:
            return []
        if run.config.train.on_divergence != "stop" or rate != run.config.optim.learning_rate:
            return []
        return [
            f"it diverged at iteration {at:,} the last time, and will again at this rate; to lower it: "
            f"{self._going_on()}"
        ]

    def _advice(self) -> str:
        """Says how a run that has diverged can go on: from its last checkpoint, if there is one, at a lower rate."""
        if not self.saver.directory.holds_a_run():
            rate = " ".join(_lower_rate(self.run))
            return f"nothing was saved before; lower optim.learning_rate and begin again, with {rate}"
        return f"what was saved before is whole; lower optim.learning_rate and go on: {self._going_on()}"

    def _going_on(self) -> str:
        """Returns the command by which the run, as it was saved, goes on at a lower rate, to the end that it has now.

        What was saved may be from before that end was set.
        """
        run, directory = self.run, self.saver.directory
        saved, _ = directory.newest()
        to_the_end = () if ends(saved) == ends(run) else ("--more", left(self.progress, saved))
        return resuming.command(run, directory.path, *_lower_rate(run), *to_the_end)


def report(run: Run, split: Split, what: str, grads: Parameters | None) -> dict[str, Any]:
    """Returns the content of `diverged.json`: what is known of the batch that `run` stands before.

    What is not a number is null there, as JSON has no word for it. Without `grads` the gradients are not known.
    """
    with np.errstate(all="ignore"):
        rows = _explained(run, split)
        parameters = {
            name: {
                "largest_weight": _finite(np.abs(array).max()),
                "largest_gradient": None if grads is None else _finite(np.abs(grads[name]).max()),
            }
            for name, array in run.params.items()
        }
    return {
        "what": what,
        "iteration": run.iteration + 1,
        "learning_rate": run.config.optim.learning_rate,
        "learning_rate_halved": run.rollbacks,
        "skipped": run.skipped,
        "last_good_grad_norm": run.grad_norm,
        "largest_state": _finite(max((np.abs(a).max() for entry in run.state for a in entry.values()), default=0.0)),
        "parameters": parameters,
        "rows": [{**row, "nats": _finite(row["nats"])} for row in sorted(rows, key=_badness)[:MOST_ROWS]],
    }


def _explained(run: Run, split: Split) -> list[dict[str, Any]]:
    """Returns what is known of each row of the batches that `run` stands before."""
    first, *others = UpdateBatches(split.train, run.config.train.accumulate).numbers(run.iteration)
    state, rows = run.state, run.task.explain(run.model, run.params, split, first, run.state)
    for number in others:
        _, state = run.model.loss(run.params, split.train.batch(number - 1), state)
        rows += run.task.explain(run.model, run.params, split, number, state)
    return rows


def _lower_rate(run: Run) -> tuple[str, str]:
    """Returns the option for a rate at which a run that diverged may go on: a tenth, and no more than the default."""
    return "--lr", f"{min(OptimConfig.learning_rate, 0.1 * run.config.optim.learning_rate):.3g}"


def _badness(row: dict[str, Any]) -> float:
    """Sorts the worst rows first; what is no number is worse than any."""
    return -row["nats"] if math.isfinite(row["nats"]) else -math.inf


def _finite(value: Any) -> float | None:
    return float(value) if math.isfinite(value) else None
