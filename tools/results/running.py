"""Runs the commands of a user, and writes the lines of a table."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

HERE = Path(__file__).resolve().parents[2]


def charrnn(*arguments: object) -> None:
    """Runs a command as a user would, in the project's directory."""
    command = [sys.executable, "-m", "charrnn", *map(str, arguments)]
    print("charrnn", *command[3:], file=sys.stderr, flush=True)
    subprocess.run(command, check=True, cwd=HERE)


def settings(assignments: Iterable[str]) -> list[str]:
    """As options of a command."""
    return [word for assignment in assignments for word in ("--set", assignment)]


def written(value: float | None) -> str:
    """A figure with four digits behind the point; nothing for None."""
    return "" if value is None else f"{value:.4f}"


def line(cells: list[str]) -> str:
    """A row of a table in Markdown."""
    return f"| {' | '.join(cells)} |"
