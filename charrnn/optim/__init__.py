"""How gradients become updates: clipping, optimizers, schedules of the learning rate, an average of the weights.

A new optimizer is a function in `optimizers` and a line in `OPTIMIZERS`; a new schedule is a function in `schedules`
and a line in `SCHEDULES`. What can be chosen, the memory it takes, the help and the tables of the documents follow.
"""

from __future__ import annotations

from dataclasses import dataclass

from charrnn.keys import Choice


@dataclass(frozen=True)
class OptimizerChoice(Choice):
    """Is a row of `OPTIMIZERS`: what is known of an optimizer."""

    slots: tuple[str, ...] = ()
    """What it keeps from update to update: the names of vectors that are each as long as all parameters together."""
    counts: bool = False
    """Whether it keeps the number of its updates too, as the slot `count`."""


OPTIMIZERS: dict[str, OptimizerChoice] = {
    "sgd": OptimizerChoice(),
    "momentum": OptimizerChoice(keys=("momentum",), slots=("v",)),
    "nesterov": OptimizerChoice(keys=("momentum",), slots=("v",)),
    "adagrad": OptimizerChoice(keys=("eps",), slots=("s",)),
    "rmsprop": OptimizerChoice(keys=("alpha", "eps"), slots=("s",)),
    "adam": OptimizerChoice(keys=("beta1", "beta2", "eps"), slots=("m", "s"), counts=True),
    "adamw": OptimizerChoice(("beta1", "beta2", "eps"), {"weight_decay": 0.01}, slots=("m", "s"), counts=True),
}
"""The choices of `optim.name`."""

SCHEDULES: dict[str, Choice] = {
    "constant": Choice(),
    "step": Choice(keys=("decay", "decay_after", "decay_every")),
    "linear": Choice(keys=("min_learning_rate",)),
    "cosine": Choice(keys=("min_learning_rate",)),
    "one_cycle": Choice(keys=("min_learning_rate",)),
    "plateau": Choice(keys=("decay", "patience", "min_learning_rate"), defaults={"decay": 0.5}),
}
"""The choices of `optim.schedule`."""
