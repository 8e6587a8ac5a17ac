"""What is seen of a sweep while it runs: one line for all on a terminal, elsewhere a line for each run."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from typing import TYPE_CHECKING

from charrnn import system
from charrnn.cli import common

if TYPE_CHECKING:
    from charrnn.sweeping.sweep import Sweep
    from charrnn.sweeping.table import Entry

EVERY = 1.0
"""Seconds between two looks at how far the runs are."""


class SweepDisplay:
    """Shows how far a sweep is. If nobody listens, it goes on."""

    def __init__(self, sweep: Sweep, quiet: bool) -> None:
        from tqdm import tqdm

        if system.few_processes():
            tqdm.monitor_interval = 0  # which would be a thread
        self.sweep = sweep
        self.quiet = quiet or not sys.stderr
        self.terminal = not self.quiet and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._looked = 0.0
        self.bar = tqdm(
            total=1.0,
            initial=sweep.share(),
            disable=not self.terminal,
            file=sys.stderr,
            bar_format="{percentage:3.0f}% |{bar}| {elapsed}<{remaining}{postfix}",
            dynamic_ncols=True,
            leave=False,
        )

    def say(self, *lines: str) -> None:
        """Prints lines that stay."""
        with contextlib.suppress(OSError):
            for line in lines:
                if not self.quiet:
                    self.bar.clear()
                    common.say(line)

    def warn(self, message: str) -> None:
        """Prints a line that those who want it quiet see too."""
        with contextlib.suppress(OSError):
            self.bar.clear()
            common.say(f"charrnn: warning: {message}")

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
            counts = {state: self.sweep.count(state) for state in (DONE, RUNNING, FAILED)}
            told = ", ".join(f"{n} {state}" for state, n in counts.items() if n or state != FAILED)
            self.bar.set_postfix_str(f"{told} of {len(self.sweep.entries)}", refresh=False)
            self.bar.update(max(0.0, min(1.0, self.sweep.share()) - self.bar.n))
            self.bar.refresh()
        self._looked = time.monotonic()

    def close(self) -> None:
        """Removes the line."""
        with contextlib.suppress(OSError):
            self.bar.close()
