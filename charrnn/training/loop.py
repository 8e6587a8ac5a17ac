"""Truncated backpropagation through time over a text: one update after another. It prints nothing and saves nothing."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from charrnn.arrays import Batch
from charrnn.errors import DivergedError
from charrnn.nn.numerics import norm
from charrnn.nn.parameters import Parameters
from charrnn.nn.stack import State
from charrnn.optim.optimizers import Transform
from charrnn.optim.schedules import Position, Schedule
from charrnn.runs.run import Run
from charrnn.text.streams import Windows

MOST_NATS = 1e6
"""A loss beyond this is no text's: the weights have exploded, though they may still be finite."""


class Update(NamedTuple):
    """What one iteration did."""

    nats: float
    """Mean loss of its window, before the update."""
    grad_norm: float
    """Global norm of the gradient, before clipping."""
    learning_rate: float
    skipped: bool = False
    """Whether its window was passed over, and nothing was updated."""


Gradients = Callable[[Batch, State, Parameters, int], tuple[float, State]]
"""Window, carried state, where to write the gradients, seed of the noise: loss and final state."""

OnDivergence = Callable[[DivergedError, Parameters], None]
"""Is told of a window whose loss or gradient is no number, and the gradients: raises, or returns to have it skipped."""


def updates(
    run: Run,
    windows: Windows,
    optimizer: Transform,
    schedule: Schedule,
    progress: Callable[[], float],
    gradients: Gradients | None = None,
    on_divergence: OnDivergence | None = None,
) -> Iterator[Update]:
    """Updates `run` in place, once for each item, until `progress()`, the share of the run that is done, reaches 1.

    `gradients`, where given, does the work of the model's own `loss_and_grads` with `run.params` (see `parallel`).

    The state is carried from window to window and no gradient crosses their border (Williams and Peng 1990). A loss or
    gradient that is infinite or not a number is seen before the update, and raised as DivergedError, unless
    `on_divergence` chooses to skip the window.
    """
    model, params = run.model, run.params
    grads = Parameters.zeros(params.shapes, params.vector.dtype)
    # Decoupled, and of matrices alone (Loshchilov and Hutter 2019, arXiv 1711.05101).
    decayed = [array for array in params.values() if array.ndim == 2] if run.config.optim.weight_decay else []
    while (done := progress()) < 1:
        batch = windows.batch(run.iteration)
        T, B = batch.x.shape
        before = run.rng.bit_generator.state if model.is_noisy else None
        seed = int(run.rng.integers(2**63)) if model.is_noisy else 0
        try:
            if gradients:
                loss, state = gradients(batch, run.state, grads, seed)
            else:
                noise = model.noise_of_seed(seed, T, B, params.vector.dtype)
                loss, state = model.loss_and_grads(params, batch.x, batch.y, run.state, grads, batch.starts, noise)
        except BaseException:
            if before:  # so that `run` is what it was, and may be saved
                run.rng.bit_generator.state = before
            raise
        nats, grad_norm = float(loss), norm(grads.vector)
        learning_rate = schedule(Position(run.iteration, run.iteration // len(windows), done)) * 0.5**run.rollbacks
        if not abs(nats) < MOST_NATS or not math.isfinite(grad_norm):
            error = DivergedError(
                f"diverged at iteration {run.iteration + 1}: loss {nats:.3g}, gradient norm {grad_norm:.3g}"
            )
            if not on_divergence:
                raise error
            on_divergence(error, grads)
            _skip(run)
            yield Update(nats, grad_norm, learning_rate, skipped=True)
            continue
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows here is found before it is saved or used
            optimizer.update(grads.vector, run.slots, learning_rate, grad_norm)
            for W in decayed:
                W *= 1 - learning_rate * run.config.optim.weight_decay
            params.vector -= grads.vector
        run.state = state
        run.iteration += 1
        run.grad_norm, run.learning_rate = grad_norm, learning_rate
        run.skipped_in_a_row = 0
        yield Update(nats, grad_norm, learning_rate)


def _skip(run: Run) -> None:
    """Passes a window over. What it left in the state may be as bad as its loss, so that begins anew."""
    run.state = run.model.zero_state(run.config.train.batch_size, run.params.vector.dtype)
    if "sensitivity" in run.slots:
        run.slots["sensitivity"][...] = 0
    run.iteration += 1
    run.skipped += 1
    run.skipped_in_a_row += 1
