"""Ids, one after another, for several texts at once: the loop in which a model writes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from charrnn.arrays import Array, Ids
from charrnn.nn.model import CharLM
from charrnn.nn.stepper import Stepper
from charrnn.sampling.constraints import Constraint
from charrnn.sampling.copying import MaxCopy
from charrnn.sampling.filters import PLAIN, Filters, draw, log_softmax, probabilities
from charrnn.sampling.repetition import Repetition

NOTHING = -1
"""Stands for an id where a row has nothing left that it may draw."""


class Generator:
    """Draws the next id of each of B texts, again and again, without end: an iterator of ids (B,).

    A row that its constraints have left nothing draws NOTHING.
    """

    def __init__(
        self,
        stepper: Stepper,
        rng: np.random.Generator,
        filters: Filters = PLAIN,
        constraints: Sequence[Constraint] = (),
        penalty: Repetition | None = None,
        scored: bool = False,
    ) -> None:
        """`stepper` has read nothing that is not told to it here, by `read`. With `scored`, `nats` are counted."""
        self.stepper, self.rng, self.filters = stepper, rng, filters
        self.constraints, self.scored = list(constraints), scored
        self.rows = len(stepper.logits)
        self.nats: Array = np.zeros(self.rows)
        """What the last ids cost each row under the model's own distribution, before anything was taken from it."""
        self.pending: Ids | None = None
        """What was drawn last, and is read before the next is drawn."""
        self.done: Array | None = None
        """Rows that shall stay as they are once they have drawn their last, bools (B,), if that matters."""
        self.penalty: Repetition | None = penalty
        self._p = np.empty(stepper.logits.shape)

    def read(self, texts: Sequence[Ids]) -> None:
        """Reads what comes before: for each row its ids, one at least. Those of unlike length end together."""
        longest = max(map(len, texts))
        symbols = np.zeros((longest, self.rows), np.intp)
        lengths = np.array([len(text) for text in texts])
        for row, text in enumerate(texts):
            symbols[longest - len(text) :, row] = text
        unlike = len(set(lengths.tolist())) > 1
        for left, ids in zip(range(longest, 0, -1), symbols, strict=True):
            self.stepper.step(ids)
            if unlike:
                self.stepper.hold(lengths < left)  # these have not begun

    def __iter__(self) -> Generator:
        return self

    def __next__(self) -> Ids:
        if self.pending is not None:
            self.stepper.step(self.pending)
            if self.done is not None:
                self.stepper.hold(self.done)
        logits = self.stepper.logits
        own = log_softmax(logits) if self.scored else None
        for constraint in self.constraints:
            constraint.forbid(logits)
        stuck = np.isneginf(logits.max(axis=-1)) if self.constraints else None
        if stuck is not None and stuck.any():
            logits[stuck] = 0  # something is drawn there, too, that any other constraint allows, and is not shown
            for constraint in self.constraints:
                if not isinstance(constraint, MaxCopy):
                    constraint.forbid(logits)
        else:
            stuck = None
        if self.penalty is not None:
            self.penalty.weigh(logits)
        ids = draw(probabilities(logits, self.filters, out=self._p), self.rng)
        for constraint in self.constraints:
            constraint.drawn(ids)
        if self.penalty is not None:
            self.penalty.drawn(ids)
        if own is not None:
            self.nats = -own[np.arange(self.rows), ids]
        self.pending = ids if self.done is None or self.pending is None else np.where(self.done, self.pending, ids)
        return ids if stuck is None else np.where(stuck, NOTHING, ids)


def generate(
    model: CharLM, params: dict[str, Array], prompt: Ids, rng: np.random.Generator, samples: int = 1
) -> Generator:
    """Returns what draws the next id of each of `samples` texts that all continue `prompt (P,)`, P >= 1: (samples,)."""
    generator = Generator(Stepper(model, params, samples), rng)
    generator.read([prompt] * samples)
    return generator
