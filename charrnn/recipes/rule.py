"""The rule by which a recipe is chosen: every number of it is in a table here, and each table is read in one place.

It was drawn from few runs, which docs/decisions/0013-recipes.md lists; `tools/experiments/regret.py` measures how far
what it chooses is from the best of a grid.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

WIDTHS = 64, 96, 128, 192, 256, 320, 384, 448, 512, 640, 768, 1024
"""H, the widths that are chosen from."""

WIDEST = (10_000, 96), (30_000, 192), (100_000, 256), (300_000, 384), (2_000_000, 768), (math.inf, 1024)
"""The widest network for a text of less than so many characters to learn from; a wider one is sooner at its best, and
not better there."""

PER_PARAMETER = 15
"""Characters that a network reads for each of its parameters, at least, to be worth its width. Where the time is too
short for that, a narrower one learns more. Large transformers want about 20 (Hoffmann et al. 2022)."""

BATCHES = (1_000, (2, 32)), (20_000, (8, 32)), (200_000, (16, 64)), (math.inf, (32, 32))
"""Rows and steps of a batch for a text of less than so many characters: a short one must make updates enough, too."""

DROPOUTS = (5, 0.0), (12, 0.1), (24, 0.2), (60, 0.3), (80, 0.4), (150, 0.5), (math.inf, 0.6)
"""Dropout where the text is read less than so often: what is read again and again is learnt by heart without it."""

RECURRENT = 0.5
"""Recurrent dropout, as a share of dropout."""

WEIGHT_DECAY = 0.1
"""What keeps weights small; of all that was tried, it gave most on text that is unlike what was learnt from."""

CELL = "lstm_cifg"
"""The recurrent cell, an LSTM with coupled gates: in equal time it learns more than LSTM and GRU, and bears the highest
rate, as its memory cannot grow."""

INIT = "torch"
"""How weights begin: with biases that are drawn, the first plateau is left sooner."""

CLIP_NORM = 0.25
"""Most that a gradient's norm may be. Most gradients are longer at first, and with so high a rate they must not be."""

RATES = (224, 3e-2), (480, 1.5e-2), (576, 1.2e-2), (math.inf, 8e-3)
"""The learning rate of Adam for networks narrower than that; it ends at zero."""

RATE_SHARES = {CELL: 1.0, "rnn": 0.25}
"""What the rate is multiplied by for each cell: 0.5 for those not named. The state of `rnn` explodes soonest."""

USUAL = 600.0
"""Seconds that a run takes where nothing says when it ends, unless a single pass takes longer; and in which a network
should do all passes or updates, where those are given."""

EPOCHS = 300
"""Passes over the text that are of use. Where there is time for more, the rate should have fallen by then, and so the
run ends there, if neither passes nor updates are given."""

FEWEST = 1000
"""Updates of a run at least, however often a short text must be read for them."""

EVALUATIONS = 40
"""Evaluations of a run, so many if they are not dear, and more of a long one."""

SELDOM = 1000
"""Updates between two evaluations, at most."""

DEAR = 10.0
"""How many characters are learnt from for each that is judged, at least: else evaluations would take the time."""

FEWEST_EVALUATIONS = 8
"""Evaluations of a run at least, however dear."""

WAITING = 0.25
"""The share of all evaluations that may pass without an improvement: a rate that still falls may bring one. It is
`LEAST_WAITING` evaluations at least."""

LEAST_WAITING = 5


class Shape(NamedTuple):
    """Says what decides how fast an update is."""

    hidden_size: int
    batch_size: int
    seq_length: int


@dataclass(frozen=True)
class Situation:
    """Says what a recipe is chosen for: a text, this machine, and what a user has set; None is what is free."""

    characters: int
    """Characters to learn from."""
    judged: int
    """Characters that an evaluation reads; 0 where there are none."""
    speed: Callable[[Shape], float]
    """Returns the characters per second that are foreseen for a shape."""
    parameters: Callable[[int], int]
    """Returns how many parameters the network has with so many units."""
    seconds: float | None = None
    """The time that there is."""
    epochs: float | None = None
    """The passes that there are to be."""
    endless: bool = False
    """Whether passes are not to end the run: its time is all used, however much that is."""
    updates: int | None = None
    """The updates that there are to be."""
    hidden_size: int | None = None
    batch_size: int | None = None
    seq_length: int | None = None
    least_rows: int = 1
    """Rows that a batch must have, so that all who share it have one."""
    accumulate: int = 1
    """Batches of an update."""
    eval_every: int | None = None
    dropout: float | None = None
    cell: str = CELL

    @property
    def is_open(self) -> bool:
        """Whether nothing says when the run ends."""
        return self.seconds is None and self.has_no_length

    @property
    def has_no_length(self) -> bool:
        """Whether neither passes nor updates are given."""
        return self.epochs is None and self.updates is None


class Recipe(NamedTuple):
    """Is what the rule says, whether it is free or not."""

    shape: Shape
    dropout: float
    recurrent_dropout: float
    learning_rate: float
    epochs: int | None
    """Passes after which the run ends, where nothing else says so, or its time is more than is of use."""
    time_budget: float | None
    """Seconds after which it ends, where nothing else says so and the text is too long to be read once."""
    eval_every: int
    patience: int | None
    """Evaluations to wait for; None where the run has too few for that to end it."""
    passes: float
    """How often the text will be read, about."""
    seconds: float
    """How long that takes, about."""
    is_short_of_time: bool
    """Whether the network is as narrow as it is for want of time, and not of text."""


def recipe(found: Situation) -> Recipe:
    """Returns the recipe for a situation."""
    rows, steps = of(BATCHES, found.characters)
    rows, steps = found.batch_size or max(rows, found.least_rows), found.seq_length or steps
    shape, short = _widest(found, rows, steps)
    read, per_update = _length(found, shape), _per_update(found, shape)
    epochs, time_budget = None, None
    if found.is_open and read < found.characters:
        time_budget = USUAL
    elif found.is_open or (found.has_no_length and read == _most(found, shape)):
        epochs = max(1, round(read / found.characters))
        read = float(epochs * found.characters)
    passes = read / found.characters
    updates = max(1, int(read / per_update))
    every = found.eval_every or evaluate_every(updates, found.judged / per_update)
    patience = max(LEAST_WAITING, round(WAITING * updates / every))
    dropout = of(DROPOUTS, passes) if found.dropout is None else found.dropout
    return Recipe(
        shape=shape,
        dropout=dropout,
        recurrent_dropout=round(RECURRENT * dropout, 2),
        learning_rate=float(f"{of(RATES, shape.hidden_size) * RATE_SHARES.get(found.cell, 0.5):.2g}"),
        epochs=epochs,
        time_budget=time_budget,
        eval_every=every,
        patience=patience if updates > (patience + 1) * every else None,
        passes=passes,
        seconds=read / found.speed(shape),
        is_short_of_time=short,
    )


Value = TypeVar("Value")


def of(table: Sequence[tuple[float, Value]], number: float) -> Value:
    """Returns the value of the first row whose bound a number is below."""
    return next(value for bound, value in table if number < bound)


def evaluate_every(updates: int, judged: float) -> int:
    """Returns how many updates there are between two evaluations, which read the characters of `judged` updates.

    It is 1, 2 or 5, or ten or a hundred times that.
    """
    wanted = min(SELDOM, max(updates / EVALUATIONS, min(DEAR * judged, updates / FEWEST_EVALUATIONS)))
    return max(number for number in (1, 2, 5, 10, 20, 50, 100, 200, 500, SELDOM) if number <= max(1.0, wanted))


def _widest(found: Situation, rows: int, steps: int) -> tuple[Shape, bool]:
    """Returns the shape of the widest network that the text is worth and the time is enough for.

    And whether it was the time that decided.
    """
    if found.hidden_size is not None:
        return Shape(found.hidden_size, rows, steps), False
    worth = [Shape(width, rows, steps) for width in WIDTHS if width <= of(WIDEST, found.characters)]
    affordable = [shape for shape in worth if _is_time_for(found, shape)] or worth[:1]
    return affordable[-1], affordable[-1] != worth[-1]


def _is_time_for(found: Situation, shape: Shape) -> bool:
    """Tells whether a network of that shape reads enough in the time that there is, or all that it is to read.

    Where its length is given and no time, it should read all of it in the usual time.
    """
    reads, all_of_it = found.speed(shape) * (found.seconds or USUAL), _most(found, shape)
    if found.seconds is None and not found.is_open:
        return reads >= all_of_it
    return reads >= min(PER_PARAMETER * found.parameters(shape.hidden_size), all_of_it)


def _length(found: Situation, shape: Shape) -> float:
    """Returns how many characters a run reads, whatever ends it."""
    if found.seconds is None and not found.is_open:
        return _most(found, shape)
    return min(_most(found, shape), found.speed(shape) * (found.seconds or USUAL))


def _most(found: Situation, shape: Shape) -> float:
    """Returns how many characters all passes or updates read; where none are given, those of as many as are of use."""
    if found.endless and found.has_no_length:
        return math.inf
    per_update, ends = _per_update(found, shape), []
    if found.epochs is not None:
        ends.append(float(found.epochs * found.characters))
    if found.updates is not None:
        ends.append(float(found.updates * per_update))
    return min(ends, default=max(EPOCHS * found.characters, FEWEST * per_update))


def _per_update(found: Situation, shape: Shape) -> int:
    """Returns how many characters an update reads."""
    return shape.batch_size * shape.seq_length * found.accumulate
