"""Truncated backpropagation through time over a text: one update after another. It prints nothing and saves nothing."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from charrnn.checkpoint import Checkpoint
from charrnn.errors import DivergedError
from charrnn.nn.numerics import norm
from charrnn.nn.parameters import Parameters
from charrnn.nn.stack import State
from charrnn.text.batches import Batch, Windows
from charrnn.training.optim import Transform
from charrnn.training.schedules import Position, Schedule

MOST_NATS = 1e6
"""A loss beyond this is no text's: the weights have exploded, though they may still be finite."""


class Update(NamedTuple):
    """What one iteration did."""

    nats: float
    """Mean loss of its window, before the update."""
    grad_norm: float
    """Global norm of the gradient, before clipping."""
    learning_rate: float


Gradients = Callable[[Batch, State, Parameters, int], tuple[float, State]]
"""Window, carried state, where to write the gradients, seed of the noise: loss and final state."""


def updates(
    run: Checkpoint,
    windows: Windows,
    optimizer: Transform,
    schedule: Schedule,
    progress: Callable[[], float],
    gradients: Gradients | None = None,
) -> Iterator[Update]:
    """Updates `run` in place, once for each item, until `progress()`, the share of the run that is done, reaches 1.

    `gradients`, where given, does the work of the model's own `loss_and_grads` with `run.params` (see `parallel`).

    The state is carried from window to window and no gradient crosses their border (Williams and Peng 1990). Raises
    DivergedError where a loss or gradient is infinite or not a number, before that update.
    """
    model, params = run.model, run.params
    grads = Parameters.zeros(params.shapes, params.vector.dtype)
    # Decoupled, and of matrices alone (Loshchilov and Hutter 2019, arXiv 1711.05101).
    decayed = [array for array in params.values() if array.ndim == 2] if run.config.optim.weight_decay else []
    while (done := progress()) < 1:
        batch = windows.batch(run.iteration)
        T, B = batch.x.shape
        seed = int(run.rng.integers(2**63)) if model.is_noisy else 0
        if gradients:
            loss, state = gradients(batch, run.state, grads, seed)
        else:
            noise = model.noise_of_seed(seed, T, B, params.vector.dtype)
            loss, state = model.loss_and_grads(params, batch.x, batch.y, run.state, grads, batch.starts, noise)
        nats, grad_norm = float(loss), norm(grads.vector)
        if not nats < MOST_NATS or not math.isfinite(grad_norm):
            raise DivergedError(
                f"diverged at iteration {run.iteration + 1}: loss {nats:.3g}, gradient norm {grad_norm:.3g}; "
                f"what was saved before is whole: lower optim.learning_rate or optim.clip_norm"
            )
        position = Position(run.iteration, run.iteration // len(windows), done)
        learning_rate = schedule(position)
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows here is found before it is saved or used
            optimizer.update(grads.vector, run.slots, learning_rate, grad_norm)
            for W in decayed:
                W *= 1 - learning_rate * run.config.optim.weight_decay
            params.vector -= grads.vector
        run.state = state
        run.iteration += 1
        yield Update(nats, grad_norm, learning_rate)
