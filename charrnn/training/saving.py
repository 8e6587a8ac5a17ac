"""Keeps a run on the disk while it is trained. What goes wrong with a file is told, and training goes on."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from charrnn.errors import DivergedError, LockedError, OutputError
from charrnn.files import Warn
from charrnn.nn.parameters import Parameters
from charrnn.runs.directory import RunDirectory
from charrnn.runs.places import BEST, LAST
from charrnn.runs.run import Run
from charrnn.tasks.base import Batches, Scores
from charrnn.training import hopeless


class Saver:
    """Writes the checkpoints of a run into its directory."""

    def __init__(self, run: Run, directory: RunDirectory, batches: Batches, warn: Warn) -> None:
        """`batches` are what the run learns from: they show whether its weights are good.

        `warn` is called, once for each cause, with what to say of files that cannot be written at present.
        """
        self.run = run
        self.directory = directory
        self.batches = batches
        self.warn = warn
        self.complete: Callable[[], None] = lambda: None
        """Is called before the state of the run is looked at or kept. Where ranks share it, it brings it together."""
        self._failing: dict[str, str] = {}
        """By the name of a file that cannot be written, why; the user has been warned of it."""

    def save(self) -> None:
        """Saves `last.npz` now. Raises DivergedError rather than keep weights that have exploded, and OutputError."""
        self.complete()
        self._check_finite()
        self._refuse_hopeless(self.run.params)
        self.directory.save_last(self.run)

    def try_to_save(self) -> bool:
        """Saves `last.npz`, but a failure is only a warning. Tells whether it is saved."""
        return self.tolerate(LAST, self.save)

    def keep(self, ended: bool) -> None:
        """Saves what there is to be saved after an iteration. Raises as `save` where the run has `ended`."""
        run = self.run
        due = run.iteration % run.config.train.checkpoint_every == 0
        if ended or due or run.scores is not None:
            self.complete()
        if run.scores is not None:
            self._keep_best(run.scores)
        if ended:
            self._refuse_hopeless(run.weights)
            self.save()
        elif due:
            self.tolerate(LAST, self._save_if_good)

    def is_better(self, scores: Scores) -> bool:
        """Tells whether the weights, of these scores, are the best of the run so far. Hopeless ones never are."""
        return self.run.is_better(scores[self.run.task.measure]) and not self._are_hopeless(self.run.weights, scores)

    def _save_if_good(self) -> None:
        """Saves `last.npz` unless the weights are hopeless: they may recover, and else the last good ones are kept."""
        if not self._are_hopeless(self.run.params, self.run.scores):
            self.save()

    def _keep_best(self, scores: Scores) -> None:
        run = self.run
        if not self.is_better(scores):
            return
        before = run.best, run.best_at
        run.best, run.best_at = scores[run.task.measure], run.iteration
        self._check_finite()
        if not self.tolerate(BEST, lambda: self.directory.save_best(run)):
            run.best, run.best_at = before

    def tolerate(self, name: str, write: Callable[[], None]) -> bool:
        """Writes a file of the run, or warns: the next time it may work. Returns whether it is written."""
        try:
            write()
        except (OutputError, LockedError, MemoryError) as error:
            message = str(error) or "out of memory"
            if self._failing.get(name) != message:
                self.warn(f"{message}; {name} has nothing of iteration {self.run.iteration:,}, and training goes on")
            self._failing[name] = message
            return False
        self._failing.pop(name, None)
        return True

    def _refuse_hopeless(self, params: Parameters) -> None:
        if self._are_hopeless(params, self.run.scores):
            raise DivergedError(
                f"diverged at iteration {self.run.iteration}: the weights answer more than {hopeless.FACTOR:g} times "
                f"worse than guessing would, and were not saved"
            )

    def _are_hopeless(self, params: Parameters, scores: Scores | None) -> bool:
        """Tells whether parameters are hopeless; where `scores` of the same show that they are not, without a batch."""
        run = self.run
        judged = scores is not None and params is run.weights and scores["nats"] <= hopeless.limit(run)
        return not judged and hopeless.weights_are(run, params, self.batches)

    def _check_finite(self) -> None:
        if not all(np.isfinite(array).all() for array in self.run.arrays().values()):
            raise DivergedError(
                f"diverged at iteration {self.run.iteration}: weights, optimizer or state are not finite, and were not "
                f"saved"
            )
