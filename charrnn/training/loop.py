"""One update after another. It prints nothing and saves nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from charrnn.arrays import Batch
from charrnn.errors import DivergedError
from charrnn.nn.parameters import Parameters
from charrnn.nn.stack import State
from charrnn.optim import schedules
from charrnn.optim.schedules import Position
from charrnn.runs.run import Run
from charrnn.tasks.base import Batches
from charrnn.training import hopeless
from charrnn.training.accumulation import UpdateBatches
from charrnn.training.gradients import Gradients
from charrnn.training.updating import UpdateStep


class Update(NamedTuple):
    """Says what one iteration did."""

    nats: float
    """Mean loss of its batches, before the update."""
    grad_norm: float
    """Global norm of the gradient, before clipping."""
    learning_rate: float
    chars: int
    """How many symbols its batches have."""
    skipped: bool = False
    """Whether they were passed over, and nothing was updated."""


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

    An update reads as many batches as `train.accumulate` says. The state is carried from batch to batch and no gradient
    crosses their border (Williams and Peng 1990). A loss or gradient that is infinite or not a number is noticed before
    the update, and so is the last of too many hopeless losses in a row; then `on_divergence` is called.
    """
    schedule = schedules.build(run.config.optim)
    of_updates = UpdateBatches(batches, run.config.train.accumulate)
    while (done := progress()) < 1:
        read = of_updates.of(run.iteration)
        chars = sum(batch.chars for batch in read)
        loss, state = _compute(run, gradients, read)
        nats, grad_norm = float(loss), gradients.norm()
        position = Position(run.iteration, run.iteration // len(of_updates), done, run.reductions)
        learning_rate = schedule(position) * 0.5**run.rollbacks
        if what := hopeless.noted(run, nats, grad_norm):
            on_divergence(DivergedError(f"diverged at iteration {run.iteration + 1}: {what}"), gradients.grads)
            _skip(run)
            run.chars += chars
            yield Update(nats, grad_norm, learning_rate, chars, skipped=True)
            continue
        count = int(run.slots["count"][0]) if "count" in run.slots else 0
        gradients.update(UpdateStep(learning_rate, grad_norm, count, run.iteration + 1 - run.skipped))
        run.state = state
        run.iteration += 1
        run.chars += chars
        run.grad_norm, run.learning_rate = grad_norm, learning_rate
        run.skipped_in_a_row = 0
        yield Update(nats, grad_norm, learning_rate, chars)


def _compute(run: Run, gradients: Gradients, read: Sequence[Batch]) -> tuple[float, State]:
    """Returns loss and final state of an update's batches.

    Where that fails, the random state is as before: `run` may be saved.
    """
    if not run.model.is_noisy:
        return gradients.compute(read, run.state, [0] * len(read))
    before = run.rng.bit_generator.state
    try:
        return gradients.compute(read, run.state, [int(run.rng.integers(2**63)) for _ in read])
    except BaseException:
        run.rng.bit_generator.state = before
        raise


def _skip(run: Run) -> None:
    """Passes an update over. The state begins anew, as what its batches left in it may be as bad as their loss."""
    run.state = run.model.zero_state(run.config.train.batch_size, run.params.vector.dtype)
    if "sensitivity" in run.slots:
        run.slots["sensitivity"][...] = 0
    run.iteration += 1
    run.skipped += 1
    run.skipped_in_a_row += 1
