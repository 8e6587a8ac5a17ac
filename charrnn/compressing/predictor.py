"""What a model says of the next symbol in each of B rows, step by step: as whole numbers, for the coder.

Both sides run the very same instructions on arrays of the same shapes: so they have the same numbers, as long as NumPy
and BLAS add up in the same order, which they do on one kind of processor, in one thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from charrnn.arrays import Array, Batch, Ids
from charrnn.nn.model import CharLM
from charrnn.nn.numerics import overflow_allowed
from charrnn.nn.parameters import Parameters
from charrnn.nn.stack import State
from charrnn.nn.stepper import Stepper

TOTAL = 1 << 30
"""What the counts of all symbols of a row add up to: one that the model finds impossible costs 30 bits."""


PATIENCE = 64
"""Symbols after which a row is brought back that expects nothing right."""


class Learner(Protocol):
    """Changes the weights of a model while it reads."""

    @property
    def params(self) -> Parameters:
        """The weights as they are now."""

    @property
    def segment(self) -> int:
        """T, after how many steps they are changed."""

    def learn(self, batch: Batch, state: State) -> None:
        """Learns from `batch (T, B)`, before which the layers were in `state`."""


class Unchanged:
    """Is a learner that never learns."""

    segment = 1 << 62

    def __init__(self, params: Parameters) -> None:
        self.params = params

    def learn(self, batch: Batch, state: State) -> None:
        """Does nothing."""


class Predictor:
    """Knows what B rows may go on with, and is told with what each does; what its learner learns, it knows too."""

    def __init__(self, model: CharLM, learner: Learner, rows: int, opening: Sequence[int]) -> None:
        """Begins with every row where it has read the symbols `opening`, at least one, from the initial state."""
        self._model, self._learner = model, learner
        self._stepper = self._new_stepper(rows)
        *before, last = opening
        for symbol in before:
            self._stepper.step(np.full(rows, symbol))
        self._last: Ids = np.full(rows, last)
        """What each row has read last: (B,)."""
        self._cost = np.zeros(rows)
        """Nats that the last symbols of each row have cost, up to `PATIENCE` of them: (B,)."""
        self._learns = learner.segment < Unchanged.segment
        if self._learns:
            self._x, self._y = (np.zeros((learner.segment, rows), np.int64) for _ in range(2))
            self._begin()
        self._steps = 0
        self._logits = self._stepper.step(self._last)
        self._opened = {name: array.copy() for name, array in self._stepper.layers.state.items()}
        """The state of all layers behind the opening."""

    def _new_stepper(self, rows: int) -> Stepper:
        """Returns what takes the model's steps with the weights as they are now; it is in the initial state."""
        with overflow_allowed():  # of weights that have exploded
            return Stepper(self._model, self._learner.params, rows)

    def _begin(self) -> None:
        """Begins a segment, in the state before the step that has just been taken."""
        self._before = self._state()
        self._sizes = np.zeros(len(self._last), np.int64)
        """How many symbols of the segment each row has read so far: (B,)."""

    def _state(self) -> State:
        """Returns a copy of the state of all layers."""
        layers: State = [{} for _ in self._model.stack.prefixes]
        for name, array in self._stepper.layers.state.items():
            layer, _, short = name.partition(".")
            layers[int(layer)][short] = array.copy()
        return layers

    def counts(self) -> Array:
        """Returns the share of each symbol in what is next, (B, V): whole numbers from 1; a row adds up to TOTAL.

        A row in which the model has come to numbers that are none is divided evenly.
        """
        with overflow_allowed():
            exact = self._logits.astype(np.float64)
            exact -= exact.max(axis=1, keepdims=True)
            shares = np.exp(exact)
            sums = shares.sum(axis=1, keepdims=True)
        if not np.isfinite(sums).all():
            shares[~np.isfinite(sums[:, 0])] = 1
            sums = shares.sum(axis=1, keepdims=True)
        shares *= (TOTAL - shares.shape[1]) / sums
        counts = shares.astype(np.int64)
        counts += 1
        counts[np.arange(len(counts)), counts.argmax(axis=1)] += TOTAL - counts.sum(axis=1)
        return counts

    def nats(self, symbols: Ids) -> Array:
        """Returns what each row's next symbol costs by the model itself, before anything is rounded: (B,)."""
        with overflow_allowed():
            exact = self._logits.astype(np.float64)
            exact -= exact.max(axis=1, keepdims=True)
            found: Array = np.log(np.exp(exact).sum(axis=1)) - exact[np.arange(len(exact)), symbols]
        return found

    def read(self, symbols: Ids, known: Array | None = None) -> None:
        """Reads the next symbol of each row, (B,). Rows that are not `known`, bools (B,), stay as they are.

        For these, the symbol is any; None means that all are known.
        """
        cost = self.nats(symbols)
        self._cost += cost if known is None else np.where(known, cost, 0)
        if self._learns:
            self._note(symbols, known)
        self._steps += 1
        if self._steps % self._learner.segment == 0:
            self._learn()
        if self._steps % PATIENCE == 0:
            self._bring_back()
        if known is None:
            self._logits = self._stepper.step(symbols)
            self._last = symbols
        else:
            before = self._logits[~known].copy()
            self._last = np.where(known, symbols, self._last)
            self._logits = self._stepper.step(self._last)
            self._stepper.hold(~known)
            self._logits[~known] = before

    def _bring_back(self) -> None:
        """Puts rows that are lost where the opening left them: those that cost more than guessing evenly would.

        Some models count up for ever from a place that they have not seen in training, and expect nothing right again.
        """
        lost = ~(self._cost <= PATIENCE * np.log(self._logits.shape[1]))
        for name, array in self._stepper.layers.state.items():
            array[lost] = self._opened[name][lost]
        self._cost[...] = 0

    def _note(self, symbols: Ids, known: Array | None) -> None:
        """Notes what the segment is made of: what each row read before, and what came then."""
        rows = np.arange(len(symbols)) if known is None else np.flatnonzero(known)
        places = self._sizes[rows]
        self._x[places, rows], self._y[places, rows] = self._last[rows], symbols[rows]
        self._sizes[rows] += 1

    def _learn(self) -> None:
        """Learns from the segment, and goes on with the new weights from the state that there was."""
        T, B = self._x.shape
        if self._sizes.any():
            whole = bool((self._sizes == T).all())
            weights = None if whole else (np.arange(T)[:, None] < self._sizes).astype(self._logits.dtype)
            lengths = None if whole else self._sizes.copy()
            self._learner.learn(Batch(self._x, self._y, np.zeros(B, bool), weights, lengths), self._before)
        stepper = self._new_stepper(B)
        for array, now in zip(stepper.layers.state.values(), self._stepper.layers.state.values(), strict=True):
            array[...] = now
        self._stepper = stepper
        self._begin()
