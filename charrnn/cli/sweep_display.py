"""What is seen of a sweep while it runs: one line for all on a terminal, elsewhere a line for each run."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

from charrnn.cli.commentary import Commentary, fitting

if TYPE_CHECKING:
    from charrnn.sweeping.sweep import Sweep
    from charrnn.sweeping.table import Entry

EVERY = 1.0
"""Seconds between two looks at how far the runs are."""


class SweepDisplay(Commentary):
    """Shows how far a sweep is: the bar is about all runs."""

    def __init__(self, sweep: Sweep, quiet: bool) -> None:
        super().__init__(sweep.share(), quiet)
        self.sweep = sweep
        self._looked = 0.0

    def show(self, entry: Entry) -> None:
        """Prints a line about a run that was begun or has ended; on a terminal, only what went wrong stays."""
        from charrnn.sweeping.table import DONE, FAILED

        name = entry.combination.name
        if entry.state == FAILED:
            self.say(f"{name} failed: {entry.error}")
        elif not self.terminal:
            done, total = self.sweep.count(DONE, FAILED), len(self.sweep.entries)
            score = f"  {entry.combination.kind.measure} {entry.stage.best:.4f}" if entry.stage.best is not None else ""
            self.say(f"{done}/{total}  {entry.state:<7}  {name}{score if entry.state == DONE else ''}")
        self._looked = 0.0
        self.move()

    def move(self) -> None:
        """Brings the line on a terminal up to date."""
        from charrnn.sweeping.table import DONE, FAILED, RUNNING

        if not self.terminal or time.monotonic() < self._looked + EVERY:
            return
        with contextlib.suppress(OSError):
            done, running, failed = map(self.sweep.count, (DONE, RUNNING, FAILED))
            told = [
                f"{done} of {len(self.sweep.entries)} done",
                f"{running} running",
                *[f"{failed} failed"] * bool(failed),
            ]
            self.bar.set_postfix_str(fitting(told), refresh=False)
            self.bar.update(max(0.0, min(1.0, self.sweep.share()) - self.bar.n))
            self.bar.refresh()
        self._looked = time.monotonic()
