"""The batches of one update: one, or as many as `train.accumulate` says, whose gradients are added.

An update of several batches is that of one batch with all their answers: its loss is the mean over these, however they
are spread over the batches, and its gradient is the gradient of that loss. A batch goes on from the state that the one
before it left, as it does in an update of its own; only the parameters stay the same until all are read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from charrnn.arrays import Batch
from charrnn.nn.parameters import Parameters
from charrnn.nn.stack import State
from charrnn.tasks.base import Batches
from charrnn.training.portion import Portion


class Piece(NamedTuple):
    """Is one of the things that an update reads in turn."""

    batch: Batch
    portion: Portion
    """What the batch is a part of."""
    seed: int
    """Decides the noise of the whole batch."""


class UpdateBatches:
    """Says which batches each update reads. An update is of one epoch: its last one has what is left of it."""

    def __init__(self, batches: Batches, each: int) -> None:
        """`each` is how many batches an update reads."""
        self.batches = batches
        self.each = each

    def __len__(self) -> int:
        """Returns how many updates an epoch has."""
        return -(-len(self.batches) // self.each)

    def numbers(self, iteration: int) -> range:
        """Returns the numbers of the batches of an iteration; both count over all epochs, from 0."""
        epoch, update = divmod(iteration, len(self))
        first, M = update * self.each, len(self.batches)
        return range(epoch * M + first, epoch * M + min(M, first + self.each))

    def of(self, iteration: int) -> list[Batch]:
        """Returns the batches of an iteration."""
        return [self.batches.batch(number) for number in self.numbers(iteration)]

    def batch(self, iteration: int) -> Batch:
        """Returns the first of them, where one shows enough."""
        return self.batches.batch(self.numbers(iteration)[0])


def answers_of(batches: Sequence[Batch]) -> float:
    """Returns how many answers of an update count: what its mean divides by. 1 where none does."""
    return float(sum(b.y.size if b.weights is None else float(b.weights.sum()) for b in batches)) or 1.0


def pieces_of(batches: Sequence[Batch], seeds: Sequence[int]) -> list[Piece]:
    """Returns what one process computes for an update: every batch whole."""
    answers = answers_of(batches)
    return [Piece(b, Portion(0, b.num_rows, answers), seed) for b, seed in zip(batches, seeds, strict=True)]


class OfPieces(Protocol):
    """Computes the gradient of one piece of an update after another."""

    grads: Parameters
    """The gradient of the last piece."""

    def compute_piece(self, piece: Piece, state: State) -> tuple[float, State]:
        """Returns a piece's share of the loss, and the state after it; writes its gradient to `grads`."""

    def measure(self) -> float:
        """Returns the norm of what is in `grads`, once that was changed."""


def add_up(compute: OfPieces, pieces: Sequence[Piece], state: State) -> tuple[float, State]:
    """Returns the loss of all pieces together and the state after the last; writes their gradient to `grads`."""
    loss, state = compute.compute_piece(pieces[0], state)
    if len(pieces) > 1:
        total = compute.grads.vector.copy()
        for piece in pieces[1:]:
            share, state = compute.compute_piece(piece, state)
            loss += share
            total += compute.grads.vector
        compute.grads.vector[...] = total
        compute.measure()
    return loss, state
