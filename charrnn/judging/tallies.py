"""Tallies: what is counted of a part that is judged, so that those of its pieces add up to that of the whole."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

Tally = dict[str, Any]
"""Whole numbers, nats and arrays of counts by name. Scores follow from them, and do not add up themselves."""


def added(tallies: Sequence[Tally]) -> Tally:
    """Returns the tally of several pieces together. All have the same names; nats are rounded once."""
    found: Tally = {}
    for name, first in tallies[0].items():
        values = [tally[name] for tally in tallies]
        found[name] = math.fsum(values) if isinstance(first, float) else sum(values[1:], first)
    return found
