"""One update after another. It prints nothing and saves nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from charrnn.arrays import Batch
from charrnn.errors import DivergedError
from charrnn.nn.parameters import Parameters
from charrnn.nn.stack import State
from charrnn.optim import average, optimizers, schedules
from charrnn.optim.clipping import norm
from charrnn.optim.optimizers import Optimizer, Slots
from charrnn.optim.schedules import Position
from charrnn.runs.run import Run
from charrnn.tasks.base import Batches
from charrnn.training import hopeless
from charrnn.training.gradients import Gradients


class Update(NamedTuple):
    """Says what one iteration did."""

    nats: float
    """Mean loss of its batch, before the update."""
    grad_norm: float
    """Global norm of the gradient, before clipping."""
    learning_rate: float
    chars: int
    """How many symbols the batch has."""
    skipped: bool = False
    """Whether the batch was passed over, and nothing was updated."""


OnDivergence = Callable[[DivergedError, Parameters], None]
"""Is called for a batch at which a run has diverged, with its gradients: raises, or returns to skip it."""


def stop_training(error: DivergedError, grads: Parameters) -> None:
    """Ends training at the first batch at which it has diverged."""
    raise error


def updates(
    run: Run,
    batches: Batches,
    gradients: Gradients,
    progress: Callable[[], float],
    on_divergence: OnDivergence = stop_training,
) -> Iterator[Update]:
    """Updates `run` in place, once for each item, until `progress()`, the share of the run that is done, reaches 1.

    The state is carried from batch to batch and no gradient crosses their border (Williams and Peng 1990). A loss or
    gradient that is infinite or not a number is noticed before the update, and so is the last of too many hopeless
    losses in a row; then `on_divergence` is called.
    """
    optim = run.config.optim
    optimizer, schedule = optimizers.build(optim), schedules.build(optim)
    grads = Parameters.zeros(run.params.shapes, run.params.vector.dtype)
    while (done := progress()) < 1:
        batch = batches.batch(run.iteration)
        loss, state = _compute(run, gradients, batch, grads)
        nats, grad_norm = float(loss), norm(grads.vector)
        position = Position(run.iteration, run.iteration // len(batches), done, run.reductions)
        learning_rate = schedule(position) * 0.5**run.rollbacks
        if what := hopeless.noted(run, nats, grad_norm):
            on_divergence(DivergedError(f"diverged at iteration {run.iteration + 1}: {what}"), grads)
            _skip(run)
            run.chars += batch.chars
            yield Update(nats, grad_norm, learning_rate, batch.chars, skipped=True)
            continue
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows here is found before it is saved or used
            step(optimizer, run.params, grads, run.slots, learning_rate, grad_norm)
            if run.average is not None and optim.average:
                average.update(run.average.vector, run.params.vector, optim.average, run.iteration + 1 - run.skipped)
        run.state = state
        run.iteration += 1
        run.chars += batch.chars
        run.grad_norm, run.learning_rate = grad_norm, learning_rate
        run.skipped_in_a_row = 0
        yield Update(nats, grad_norm, learning_rate, batch.chars)


def step(
    optimizer: Optimizer, params: Parameters, grads: Parameters, slots: Slots, learning_rate: float, grad_norm: float
) -> None:
    """Makes an update of parameters, in place, by a gradient of this norm; `grads` has what was subtracted then."""
    optimizer.update(grads.vector, slots, learning_rate, grad_norm)
    optimizers.decay_weights(params, learning_rate, optimizer.optim)
    params.vector -= grads.vector


def _compute(run: Run, gradients: Gradients, batch: Batch, grads: Parameters) -> tuple[float, State]:
    """Returns loss and final state of a batch. Where that fails, the random state is as before: `run` may be saved."""
    if not run.model.is_noisy:
        return gradients(batch, run.state, grads, 0)
    before = run.rng.bit_generator.state
    try:
        return gradients(batch, run.state, grads, int(run.rng.integers(2**63)))
    except BaseException:
        run.rng.bit_generator.state = before
        raise


def _skip(run: Run) -> None:
    """Passes a batch over. The state begins anew, as what the batch left in it may be as bad as its loss."""
    run.state = run.model.zero_state(run.config.train.batch_size, run.params.vector.dtype)
    if "sensitivity" in run.slots:
        run.slots["sensitivity"][...] = 0
    run.iteration += 1
    run.skipped += 1
    run.skipped_in_a_row += 1
