"""The optimizers: each turns a gradient into the step that is to be subtracted from the parameters.

    optimizer = build(OptimConfig(name="adam", clip_norm=5.0))
    slots = optimizer.init(params.vector)
    optimizer.update(grads.vector, slots, learning_rate)
    params.vector -= grads.vector

An optimizer is a function of the gradient (a flat vector), its slots, the learning rate `lr` and the section `optim`
of the configuration. It works in place: when it returns, the step is where the gradient was. The slots are
arrays by name, which a checkpoint keeps as they are; `OPTIMIZERS` says which ones an optimizer has.

Where conventions differ between libraries, these are PyTorch's: a test compares ten updates of each. In the formulas,
g is a gradient, all else begins at 0, and n counts the updates from 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from charrnn.arrays import Array
from charrnn.optim import OPTIMIZERS
from charrnn.optim.blocks import blocks_and_scratch
from charrnn.optim.clipping import clip_by_norm, clip_by_value
from charrnn.optim.options import OptimConfig

Slots = dict[str, Array]


def sgd(gradient: Array, slots: Slots, lr: float, optim: OptimConfig) -> None:
    """Goes straight down the gradient.

        step = lr * g

    Source: Robbins and Monro 1951.
    """
    gradient *= lr


def momentum(gradient: Array, slots: Slots, lr: float, optim: OptimConfig) -> None:
    """Goes on in the direction of the gradients before, of which each counts less than the one after it.

        v = momentum * v + g
        step = lr * v

    Source: Polyak 1964; the rate is outside v, as in PyTorch, and not as in Sutskever et al. 2013.
    """
    for g, v, _ in blocks_and_scratch(gradient, slots["v"]):
        v *= optim.momentum
        v += g
        np.multiply(v, lr, out=g)


def nesterov(gradient: Array, slots: Slots, lr: float, optim: OptimConfig) -> None:
    """Is `momentum` that looks ahead: its step is already that of v with the gradient counted once more.

        v = momentum * v + g
        step = lr * (g + momentum * v)

    Source: Nesterov 1983, in the form of Sutskever et al. 2013 that PyTorch has.
    """
    for g, v, u in blocks_and_scratch(gradient, slots["v"]):
        v *= optim.momentum
        v += g
        np.multiply(v, optim.momentum, out=u)
        g += u
        g *= lr


def adagrad(gradient: Array, slots: Slots, lr: float, optim: OptimConfig) -> None:
    """Divides the rate of each weight by the root of all its squared gradients so far.

        s = s + g^2
        step = lr * g / (sqrt(s) + eps)

    Source: Duchi et al. 2011; eps is outside the root, as in PyTorch.
    """
    for g, s, u in blocks_and_scratch(gradient, slots["s"]):
        np.multiply(g, g, out=u)
        s += u
        _divide_by_root(g, g, s, u, optim.eps, lr)


def rmsprop(gradient: Array, slots: Slots, lr: float, optim: OptimConfig) -> None:
    """Divides the rate of each weight by the root of a running mean of its squared gradients.

        s = alpha * s + (1 - alpha) * g^2
        step = lr * g / (sqrt(s) + eps)

    Source: Tieleman and Hinton 2012; eps is outside the root, as in PyTorch.
    """
    for g, s, u in blocks_and_scratch(gradient, slots["s"]):
        _decay_towards_square(s, g, u, optim.alpha)
        _divide_by_root(g, g, s, u, optim.eps, lr)


def adam(gradient: Array, slots: Slots, lr: float, optim: OptimConfig) -> None:
    """Follows a running mean of the gradients, divided by the root of a running mean of their squares.

    Both means are corrected for having begun at 0.

        m = beta1 * m + (1 - beta1) * g
        s = beta2 * s + (1 - beta2) * g^2
        step = lr * (m / (1 - beta1^n)) / (sqrt(s / (1 - beta2^n)) + eps)

    Source: Kingma and Ba 2014, arXiv 1412.6980.
    """
    slots["count"] += 1
    n = int(slots["count"][0])
    # sqrt(s / k) + eps = (sqrt(s) + eps * sqrt(k)) / sqrt(k), which spares a pass over s
    root = math.sqrt(1 - optim.beta2**n)
    for g, m, s, u in blocks_and_scratch(gradient, slots["m"], slots["s"]):
        _decay_towards_square(s, g, u, optim.beta2)
        m *= optim.beta1
        g *= 1 - optim.beta1
        m += g
        _divide_by_root(g, m, s, u, optim.eps * root, lr * root / (1 - optim.beta1**n))


def adamw(gradient: Array, slots: Slots, lr: float, optim: OptimConfig) -> None:
    """Is `adam` with a weight decay, unless another is set.

    The decay is apart from the gradient, as it is here with every optimizer: `adam` with the same `weight_decay` is the
    same.

        m = beta1 * m + (1 - beta1) * g
        s = beta2 * s + (1 - beta2) * g^2
        step = lr * (m / (1 - beta1^n)) / (sqrt(s / (1 - beta2^n)) + eps)

    Source: Loshchilov and Hutter 2019, arXiv 1711.05101; the default is PyTorch's.
    """
    adam(gradient, slots, lr, optim)


@dataclass(frozen=True)
class Optimizer:
    """Clips gradients as its configuration says, and then turns them into steps. `build` makes one."""

    optim: OptimConfig
    step: Callable[[Array, Slots, float, OptimConfig], None]
    """Turns a gradient into a step, in place."""

    def init(self, vector: Array) -> Slots:
        """Returns the slots to begin with, for parameters such as `vector`, which is flat."""
        row = OPTIMIZERS[self.optim.name]
        slots = {name: np.zeros_like(vector) for name in row.slots}
        return slots | ({"count": np.zeros(1, np.int64)} if row.counts else {})

    def update(self, gradient: Array, slots: Slots, learning_rate: float, size: float | None = None) -> None:
        """Clips `gradient` and turns it into the step to subtract, in place; `slots` change with it.

        `size` is the gradient's norm, for those who know it already.
        """
        if self.optim.clip_norm is not None:
            clip_by_norm(gradient, self.optim.clip_norm, size)
        if self.optim.clip_value is not None:
            clip_by_value(gradient, self.optim.clip_value)
        self.step(gradient, slots, learning_rate, self.optim)


def build(optim: OptimConfig) -> Optimizer:
    """Returns the optimizer that the section `optim` describes. Raises ValueError if there is none of that name."""
    if optim.name not in OPTIMIZERS:
        raise ValueError(f"there is no optimizer {optim.name!r}")
    return Optimizer(optim, globals()[optim.name])


def decay_weights(matrices: Iterable[Array], learning_rate: float, optim: OptimConfig) -> None:
    """Takes the share `learning_rate * optim.weight_decay` away from every matrix, in place. Vectors have no decay.

    The optimizer does not see it: the decay is decoupled (Loshchilov and Hutter 2019, arXiv 1711.05101).
    """
    if optim.weight_decay:
        for array in matrices:
            array *= 1 - learning_rate * optim.weight_decay


def _decay_towards_square(s: Array, g: Array, u: Array, decay: float) -> None:
    """Computes `s = decay * s + (1 - decay) * g^2`, with u for scratch."""
    np.multiply(g, g, out=u)
    u *= 1 - decay
    s *= decay
    s += u


def _divide_by_root(step: Array, m: Array, s: Array, u: Array, eps: float, lr: float) -> None:
    """Computes `step = lr * m / (sqrt(s) + eps)`, with u for scratch."""
    np.sqrt(s, out=u)
    u += max(eps, float(np.finfo(u.dtype).tiny))  # else 0 / 0, where there was no gradient yet
    np.divide(m, u, out=step)
    step *= lr
