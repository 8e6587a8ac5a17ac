"""What a command of these tools takes as a number."""

from __future__ import annotations

import argparse


def count(word: str) -> int:
    """Reads a whole number of at least 1, as the `type` of an argument."""
    try:
        number = int(word)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{word} is no whole number of at least 1")
    return number
