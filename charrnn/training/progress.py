"""How much of a run is done, and whether it is time to evaluate."""

from __future__ import annotations

from dataclasses import dataclass

from charrnn.runs.run import Run
from charrnn.training import patience


@dataclass(frozen=True)
class Progress:
    """Tells how far a run is on its way to the end that its configuration sets."""

    run: Run
    batches_per_epoch: int
    evaluates: bool
    """Whether there is a validation part."""

    @property
    def total_iterations(self) -> int | None:
        """Iterations of the whole run; None where only the clock ends it."""
        train = self.run.config.train
        ends = [n for n in (train.iterations, train.epochs and train.epochs * self.batches_per_epoch) if n]
        return min(ends, default=None)

    def share(self) -> float:
        """Returns the share of the run that is done: of its iterations or of its time, whichever is further.

        All is done once `train.patience` is over. Until then it has no part in this, nor in the schedule of the rate.
        """
        if patience.is_over(self.run):
            return 1.0
        budget, total = self.run.config.train.time_budget, self.total_iterations
        return max(
            self.run.iteration / total if total else 0.0,
            self.run.elapsed / budget if budget else 0.0,
        )

    @property
    def epoch(self) -> float:
        """Passes over the training examples that are done."""
        return self.run.iteration / self.batches_per_epoch

    @property
    def evaluation_is_due(self) -> bool:
        """Whether the weights are to be evaluated now, and were not yet."""
        here = self.share() >= 1 or self.run.iteration % self.run.config.train.eval_every == 0
        return bool(self.evaluates and self.run.iteration and here and self.run.scores is None)

    @property
    def sample_is_due(self) -> bool:
        """Whether it is time to show what the model writes."""
        every = self.run.config.train.sample_every
        return bool(every and self.run.iteration and (self.share() >= 1 or self.run.iteration % every == 0))

    @property
    def complete(self) -> bool:
        """Whether nothing is left to do."""
        return self.share() >= 1 and not self.evaluation_is_due

    @property
    def last_line(self) -> int:
        """The last iteration that may have a line in metrics.jsonl: this one, unless its evaluation is yet to come."""
        return self.run.iteration - self.evaluation_is_due
