"""Keeps a run on the disk while it is trained. What goes wrong with a file is told, and training goes on."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from charrnn.errors import DivergedError, LockedError, OutputError
from charrnn.files import Warn
from charrnn.runs.directory import RunDirectory
from charrnn.runs.places import BEST, LAST
from charrnn.runs.run import Run


class Saver:
    """Writes the checkpoints of a run into its directory."""

    def __init__(self, run: Run, directory: RunDirectory, warn: Warn) -> None:
        """`warn` is called, once for each cause, with what to say of files that cannot be written at present."""
        self.run = run
        self.directory = directory
        self.warn = warn
        self._failing: dict[str, str] = {}
        """By the name of a file that cannot be written, why; the user has been warned of it."""

    def save(self) -> None:
        """Saves `last.npz` now. Raises DivergedError rather than keep weights that are not finite, and OutputError."""
        self._check_finite()
        self.directory.save_last(self.run)

    def try_to_save(self) -> bool:
        """Saves `last.npz`, but a failure is only a warning. Tells whether it is saved."""
        return self.tolerate(LAST, self.save)

    def keep(self, ended: bool) -> None:
        """Saves what there is to be saved after an iteration. Raises as `save` where the run has `ended`."""
        run = self.run
        if run.scores is not None:
            self._keep_best(run.scores[run.task.measure])
        if ended:
            self.save()
        elif run.iteration % run.config.train.checkpoint_every == 0:
            self.try_to_save()

    def _keep_best(self, score: float) -> None:
        run = self.run
        if not run.is_better(score):
            return
        before, run.best = run.best, score
        self._check_finite()
        if not self.tolerate(BEST, lambda: self.directory.save_best(run)):
            run.best = before

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

    def _check_finite(self) -> None:
        if not all(np.isfinite(array).all() for array in self.run.arrays().values()):
            raise DivergedError(
                f"diverged at iteration {self.run.iteration}: weights, optimizer or state are not finite, and were not "
                f"saved"
            )
