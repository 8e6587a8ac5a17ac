"""What is there under nearly the name that was typed."""

from __future__ import annotations

import difflib
import os
from pathlib import Path

CLOSE = 0.75
"""How alike names must be that are taken for slips of each other: 0 for nothing in common, 1 for the same."""


def nearest_file(name: str) -> Path | None:
    """Returns what has nearly this name in its folder: in other capitals, with another ending, or but for a slip."""
    path = Path(name)
    try:
        there = {other.casefold(): other for other in sorted(os.listdir(path.parent)) if not other.startswith(".")}
    except (OSError, ValueError):
        return None
    typed = path.name.casefold()
    same_stem = [other for other in there if typed and os.path.splitext(other)[0] == os.path.splitext(typed)[0]]
    near = [other for other in (typed,) if other in there] or same_stem[:1]
    near = near or difflib.get_close_matches(typed, there, n=1, cutoff=CLOSE)
    return path.parent / there[near[0]] if near else None
