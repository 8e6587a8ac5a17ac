"""The learning rate as a function of where training stands.

A schedule is a factor of the base rate. What it may look at is in `Position`: epochs for decay by steps, and
`progress` from 0 to 1, which follows the iterations or, in a run with a time budget, the clock.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple


class Position(NamedTuple):
    """Where training stands before an update."""

    iteration: int
    """Updates done."""
    epoch: int
    """Whole passes over the training text done."""
    progress: float
    """Share of the run that is done, from 0 to 1."""


Schedule = Callable[[Position], float]


def constant() -> Schedule:
    """1."""
    return lambda position: 1.0


def step_decay(decay: float, decay_after: int, decay_every: int) -> Schedule:
    """Multiplies by `decay` when `decay_after` epochs are done, and again after each `decay_every` more.

    char-rnn: .97, 10, 1. torch-rnn: .5, 5, 5.
    """

    def factor(position: Position) -> float:
        times = (position.epoch - decay_after) // decay_every + 1
        return decay ** max(0, times)

    return factor


def linear(final: float) -> Schedule:
    """From 1 straight down to `final`."""
    return lambda position: 1 + (final - 1) * position.progress


def cosine(final: float) -> Schedule:
    """From 1 to `final` along half a cosine (Loshchilov and Hutter 2016, arXiv 1608.03983)."""
    return lambda position: final + (1 - final) * (1 + math.cos(math.pi * position.progress)) / 2


def warm_up(iterations: int, then: Schedule) -> Schedule:
    """Rises in equal steps over the first `iterations` updates, on top of the schedule that follows."""

    def factor(position: Position) -> float:
        rise = min(1.0, (position.iteration + 1) / iterations) if iterations else 1.0
        return rise * then(position)

    return factor


NAMES = ("constant", "step", "linear", "cosine")


def build(
    name: str,
    learning_rate: float,
    warmup: int = 0,
    min_learning_rate: float = 0.0,
    decay: float = 0.97,
    decay_after: int = 10,
    decay_every: int = 1,
) -> Schedule:
    """The learning rate itself: `learning_rate` times the factor of the schedule called `name`, after a warm-up."""
    final = min_learning_rate / learning_rate
    shapes = {
        "constant": constant(),
        "step": step_decay(decay, decay_after, decay_every),
        "linear": linear(final),
        "cosine": cosine(final),
    }
    factor = warm_up(warmup, shapes[name])
    return lambda position: learning_rate * factor(position)
