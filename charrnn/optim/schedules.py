"""The learning rate as a function of where training stands.

A schedule is a function of a `Position` and of the section `optim` of the configuration. It returns a factor, and the
learning rate is `optim.learning_rate` times that factor. `final` in the formulas is the factor that leads to
`optim.min_learning_rate`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from charrnn.optim import SCHEDULES
from charrnn.optim.options import OptimConfig


class Position(NamedTuple):
    """Says where training stands before an update."""

    iteration: int
    """Updates done."""
    epoch: int
    """Whole passes over the training text done."""
    progress: float
    """Share of the run that is done, from 0 to 1: of its iterations or of its time, whichever is further."""
    reductions: int = 0
    """Times that the validation loss has come to a standstill (see `stands_still`)."""


Schedule = Callable[[Position], float]
"""Returns the learning rate."""


def constant(position: Position, optim: OptimConfig) -> float:
    """Keeps the rate as it is.

    factor = 1
    """
    return 1.0


def step(position: Position, optim: OptimConfig) -> float:
    """Multiplies the rate by `decay` when `decay_after` epochs are done, and again after each `decay_every` more.

        factor = decay ^ max(0, (epoch - decay_after) // decay_every + 1)

    Source: char-rnn (0.97 after 10 epochs, then after each), torch-rnn (0.5 after each 5 epochs).
    """
    times = (position.epoch - optim.decay_after) // optim.decay_every + 1
    return float(optim.decay ** max(0, times))


def linear(position: Position, optim: OptimConfig) -> float:
    """Lowers the rate in a straight line, to `min_learning_rate` at the end of the run.

    factor = 1 + (final - 1) * progress
    """
    return 1 + (_final(optim) - 1) * position.progress


def cosine(position: Position, optim: OptimConfig) -> float:
    """Lowers the rate along half a wave of the cosine, to `min_learning_rate` at the end of the run.

        factor = final + (1 - final) * (1 + cos(pi * progress)) / 2

    Source: Loshchilov and Hutter 2016, arXiv 1608.03983.
    """
    return _half_wave(1, _final(optim), position.progress)


def one_cycle(position: Position, optim: OptimConfig) -> float:
    """Raises the rate over the first 0.3 of the run and lowers it over the rest, each along half a wave of the cosine.

    It begins with a 25th of the rate, and ends at `min_learning_rate` or, if that is 0, at 1 / 250,000 of the rate.

        factor = 1 + (1/25 - 1) * (1 + cos(pi * progress / 0.3)) / 2               if progress < 0.3
        factor = final + (1 - final) * (1 + cos(pi * (progress - 0.3) / 0.7)) / 2  if progress >= 0.3

    Source: Smith and Topin 2018, arXiv 1708.07120, with the shape and the numbers of PyTorch's OneCycleLR.
    """
    rise = 0.3
    if position.progress < rise:
        return _half_wave(1 / 25, 1, position.progress / rise)
    return _half_wave(1, _final(optim) or 1 / 25e4, (position.progress - rise) / (1 - rise))


def plateau(position: Position, optim: OptimConfig) -> float:
    """Multiplies the rate by `decay` after each `patience` evaluations in a row that were no new best of the run.

    It does not go below `min_learning_rate`.

        factor = max(final, decay ^ reductions)

    Source: ReduceLROnPlateau of PyTorch, where the same `patience` is one less, and a new best must by default be
    better by a share of 1e-4. Here any better score is one.
    """
    return max(_final(optim), float(optim.decay**position.reductions))


def stands_still(evaluations: int, optim: OptimConfig) -> bool:
    """Tells after each evaluation whether it is time for a reduction; `evaluations` are those since the last best.

    It is the last one of every `optim.patience` evaluations in a row that were no new best.
    """
    return evaluations > 0 and evaluations % optim.patience == 0


def build(optim: OptimConfig) -> Schedule:
    """Returns the learning rate that the section `optim` describes, as a function of the position.

    Over the first `optim.warmup` updates it rises in equal steps, on top of the schedule. Raises ValueError if there is
    no schedule of that name.
    """
    if optim.schedule not in SCHEDULES:
        raise ValueError(f"there is no schedule {optim.schedule!r}")
    factor: Callable[[Position, OptimConfig], float] = globals()[optim.schedule]

    def rate(position: Position) -> float:
        rise = min(1.0, (position.iteration + 1) / optim.warmup) if optim.warmup else 1.0
        return optim.learning_rate * (rise * factor(position, optim))

    return rate


def _final(optim: OptimConfig) -> float:
    return optim.min_learning_rate / optim.learning_rate


def _half_wave(first: float, last: float, share: float) -> float:
    """Goes from `first` to `last` as `share` goes from 0 to 1, slowly at both ends."""
    return last + (first - last) * (1 + math.cos(math.pi * share)) / 2
