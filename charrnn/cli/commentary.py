"""What is said of work that takes long: a bar on a terminal, and lines that stay."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence

from charrnn import system
from charrnn.cli import common


class Commentary:
    """Shows a bar on a terminal, and lines above it; elsewhere the lines alone. If nobody listens, the work goes on."""

    def __init__(self, share: float, quiet: bool) -> None:
        """`share` is how much of the work is done already, from 0 to 1."""
        from tqdm import tqdm

        if system.few_processes():
            tqdm.monitor_interval = 0  # which would be a thread
        self.quiet = quiet or not sys.stderr  # which is None where it was closed before we began
        self.terminal = not self.quiet and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self.bar = tqdm(
            total=1.0,
            initial=share,
            disable=not self.terminal,
            file=sys.stderr,
            bar_format="{percentage:3.0f}% |{bar}| {elapsed}<{remaining}{postfix}",
            dynamic_ncols=True,
            leave=False,
        )

    def say(self, *lines: str) -> None:
        """Prints lines that stay, above the bar."""
        with contextlib.suppress(OSError):  # a closed pipe, a full disk: a run does not die of its commentary
            for line in lines:
                if not self.quiet:
                    self.bar.clear()
                    common.say(line)

    def warn(self, message: str) -> None:
        """Prints a line that those who want it quiet see too."""
        with contextlib.suppress(OSError):
            self.bar.clear()
            common.say(f"charrnn: warning: {message}")

    def close(self) -> None:
        """Removes the bar."""
        with contextlib.suppress(OSError):
            self.bar.close()


def fitting(parts: Sequence[str]) -> str:
    """Returns what stands behind a bar: as many parts, the first ones, as leave the bar a third of the terminal."""
    shown, room = [*parts], 2 * columns() // 3 - len("100% || 00:00<00:00, ")
    while len(shown) > 1 and len(", ".join(shown)) > room:
        shown.pop()
    return ", ".join(shown)


def columns() -> int:
    """Returns how many characters wide the terminal is."""
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or 80
    except (OSError, ValueError):
        return 80
