"""What a loss tells of weights that have exploded: it is no number, or a number and yet hopeless.

Weights may explode and stay finite. Their losses are then so far above what guessing costs that each may be a little
better than the one before: such a run would seem to learn. But a network that has learnt anything does not answer three
times as badly as one that knows nothing.
"""

from __future__ import annotations

import math

from charrnn.arrays import Array
from charrnn.nn.numerics import overflow_allowed
from charrnn.runs.run import Run
from charrnn.tasks.base import Batches

MOST_NATS = 1e6
"""A loss beyond this is no answer's: the weights have exploded, though they may still be finite."""

FACTOR = 3.0
"""A loss is hopeless if it is above so many times what guessing costs, and above so many times the run's lowest."""

IN_A_ROW = 10
"""Updates in a row with hopeless losses after which a run has diverged. What recovers to any use has done so by then.
The worst case is a text of two characters, in a batch of one row, that suddenly is another: there were 9 at most."""


def limit(run: Run) -> float:
    """Returns the nats per answer above which a loss of this run is hopeless; infinite before its first loss."""
    if run.lowest is None:
        return math.inf
    return FACTOR * max(math.log(run.model.num_outputs), run.lowest)


def noted(run: Run, nats: float, grad_norm: float) -> str:
    """Notes the loss of a batch in the run, and says by what it has diverged; nothing where it has not.

    Where a batch is not a number, the run stands before it as it did: it may be that batch alone.
    """
    if not abs(nats) < MOST_NATS or not math.isfinite(grad_norm):
        return f"loss {nats:.3g}, gradient norm {grad_norm:.3g}"
    highest = limit(run)
    run.hopeless_in_a_row = run.hopeless_in_a_row + 1 if nats > highest else 0
    if run.lowest is None or nats < run.lowest:
        run.lowest = nats
    if run.hopeless_in_a_row < IN_A_ROW:
        return ""
    guessing = math.log(run.model.num_outputs)
    return f"loss {nats:.3g}, after {run.hopeless_in_a_row - 1} as hopeless; guessing costs {guessing:.3g}"


def weights_are(run: Run, params: dict[str, Array], batches: Batches) -> bool:
    """Tells whether `params` are hopeless on each of the batches to come; nothing of the run is changed.

    A validation loss alone does not tell that: a network that knows its training text by heart may be sure of what is
    wrong elsewhere. One batch does not either, as it may be an odd one.
    """
    highest, state = limit(run), run.state
    if math.isinf(highest):
        return False
    for iteration in range(run.iteration, run.iteration + IN_A_ROW):
        with overflow_allowed():
            nats, state = run.model.loss(params, batches.batch(iteration), state)
        if nats <= highest:  # what is no number is above
            return False
    return True
