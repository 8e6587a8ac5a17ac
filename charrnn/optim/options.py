"""The section `optim` of a configuration."""

from __future__ import annotations

from dataclasses import dataclass

from charrnn.keys import key, readers
from charrnn.optim import OPTIMIZERS, SCHEDULES


@dataclass(frozen=True)
class OptimConfig:
    """How gradients become updates."""

    name: str = key("adam", "the optimizer", choices=OPTIMIZERS)
    learning_rate: float = key(1e-2, "the base rate; lower it for networks that are large or deep", above=0)
    schedule: str = key("cosine", "what becomes of the rate as the run goes on", choices=SCHEDULES)
    warmup: int = key(0, "iterations over which the rate rises first", at_least=0)
    min_learning_rate: float = key(
        0.0, f"where {readers(SCHEDULES, 'min_learning_rate')} end, or what they do not go below", at_least=0
    )
    decay: float = key(0.97, f"what {readers(SCHEDULES, 'decay')} multiply the rate by", above=0, at_most=1)
    decay_after: int = key(10, "epochs before the first `step`", at_least=0)
    decay_every: int = key(1, "epochs from each `step` to the next", at_least=1)
    patience: int = key(
        5,
        f"evaluations in a row without a new best after which {readers(SCHEDULES, 'patience')} lowers the rate",
        at_least=1,
    )
    clip_norm: float | None = key(5.0, "most that the gradient's global norm may be", above=0)
    clip_value: float | None = key(None, "most that an element of the gradient may be, after `clip_norm`", above=0)
    momentum: float = key(0.9, f"of {readers(OPTIMIZERS, 'momentum')}", at_least=0, below=1)
    alpha: float = key(0.99, f"smoothing of {readers(OPTIMIZERS, 'alpha')}", at_least=0, below=1)
    beta1: float = key(0.9, f"first moment of {readers(OPTIMIZERS, 'beta1')}", at_least=0, below=1)
    beta2: float = key(0.999, f"second moment of {readers(OPTIMIZERS, 'beta2')}", at_least=0, below=1)
    weight_decay: float = key(
        0.0, "share of each matrix, times the rate, that an update takes away from it", at_least=0, below=1
    )
    eps: float = key(1e-8, f"added to the root by {readers(OPTIMIZERS, 'eps')}", above=0)
    average: float | None = key(
        None,
        "share that the running average of the weights keeps of itself at each update, such as 0.999; null for none",
        above=0,
        below=1,
    )
