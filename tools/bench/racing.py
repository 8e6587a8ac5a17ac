"""Lets contenders of `learners.py` train in turns: one works while the others wait, and all must train the same."""

from __future__ import annotations

import contextlib
import itertools
import json
import math
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from measuring import SETTLE

CHECKED, TOLERANCE = 10, 1e-4
"""First updates whose losses are compared, and how far apart they may be, in nats."""


class Contender:
    """A process of `learners.py`."""

    def __init__(self, name: str, work: dict[str, Any]) -> None:
        self.name, self.seconds, self.done = name, 0.0, 0
        self.points: list[tuple[int, float, float]] = []
        """Updates, seconds of work so far, and the validation loss."""
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("learners.py")), name, json.dumps(work)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def answer(self) -> dict[str, Any]:
        """What it says next."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.name} ended; what it said is above")
        found: dict[str, Any] = json.loads(line)
        return found

    def train(self, updates: int) -> None:
        """Makes so many updates, and adds a point."""
        assert self.process.stdin is not None
        time.sleep(SETTLE)
        self.process.stdin.write(f"{updates}\n")
        self.process.stdin.flush()
        answer = self.answer()
        self.seconds, self.done = self.seconds + answer["seconds"], self.done + updates
        self.points.append((self.done, self.seconds, answer["nats"]))

    def close(self) -> None:
        """Ends the process."""
        self.process.communicate()  # closes its input, which ends it


def race(names: Sequence[str], work: dict[str, Any], evaluations: int) -> Iterator[dict[str, Any]]:
    """Lets them work in turns to the end, each first as often; yields all points after each round.

    Raises SystemExit where their first losses are not the same.
    """
    with contextlib.ExitStack() as stack:
        rivals = {name: Contender(name, work) for name in names}
        for rival in rivals.values():
            stack.callback(rival.close)
        first = {name: rival.answer()["first"] for name, rival in rivals.items()}
        apart = farthest_apart(list(first.values()))
        if not apart <= TOLERANCE:
            raise SystemExit(f"they do not train the same: their first losses are {apart:.2g} nats apart: {first}")
        if len(names) > 1:
            print(f"the losses of the first {work['checked']} updates agree to {apart:.1g} nats", flush=True)
        turns = list(rivals.values())
        marks = [round(work["updates"] * k / evaluations) for k in range(evaluations + 1)]
        for before, mark in itertools.pairwise(sorted(set(marks))):
            for rival in turns:
                rival.train(mark - before)
            print("; ".join(in_words(rival) for rival in rivals.values()), file=sys.stderr, flush=True)
            turns.reverse()
            yield {"apart": apart, "first": first, "points": {name: rival.points for name, rival in rivals.items()}}


def farthest_apart(losses: list[list[float]]) -> float:
    """The largest difference between the losses of the same update; not a number where one is none."""
    differences = [abs(one - other) for each in zip(*losses, strict=True) for one in each for other in each]
    return max(differences, key=lambda difference: (math.isnan(difference), difference))


def in_words(contender: Contender) -> str:
    """Where it stands."""
    done, seconds, nats = contender.points[-1]
    return f"{contender.name} {done:,} updates, {seconds:.0f} s, {nats:.3f} nats"
