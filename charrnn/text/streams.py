"""One text as parallel streams, cut into windows of shape (T, B) for truncated backpropagation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

import numpy as np

from charrnn import advice
from charrnn.arrays import Array, Batch, Ids
from charrnn.errors import DataError


class LongIds(Protocol):
    """Holds the ids of a text, from which batches are taken: an array (N,), or what takes them from disk."""

    def __len__(self) -> int: ...

    def take(self, index: Ids, /, *, mode: Literal["clip"]) -> Ids:
        """Returns the ids (T, B) at `index (T, B)`, whose columns run along the text; beyond an end, the last one."""
        ...


@dataclass(frozen=True)
class Streams:
    """Cuts a text into B pieces that are read side by side; row b predicts `lengths[b]` characters after `first[b]`."""

    ids: LongIds
    first: Array
    """Where each piece begins, (B,): this character is read, and the next is the first that is predicted."""
    lengths: Array
    """How many characters each piece predicts: (B,)."""
    context: Array
    """How many characters before `first[b]` may be read to warm up the state: (B,)."""

    def __len__(self) -> int:
        """Returns how many characters are predicted."""
        return int(self.lengths.sum())

    @property
    def batch_size(self) -> int:
        """B, the pieces that are read side by side."""
        return len(self.first)

    def window(self, start: int, seq_length: int) -> tuple[Ids, Ids]:
        """Returns characters `start`, `start + 1`, ... of each stream and their successors: x and y, both (T, B).

        Beyond the ends of the text, where only masked-out positions lie, the last character is repeated.
        """
        index = self.first + np.arange(start, start + seq_length + 1)[:, None]
        both = self.ids.take(index, mode="clip")  # (T + 1, B)
        return both[:-1], both[1:]


@dataclass(frozen=True)
class Windows:
    """Gives the batches of one epoch, each a window (T, B) of the streams; the state is carried from each to the next.

    The characters that do not fill a window are not always the same: each epoch begins one character later than the
    one before, until all have had their turn.
    """

    streams: Streams
    seq_length: int

    def __len__(self) -> int:
        return int(self.streams.lengths.min()) // self.seq_length

    def start(self, iteration: int) -> int:
        """Returns where in each stream the batch of an iteration begins; iterations count over all epochs, from 0."""
        epoch, window = divmod(iteration, len(self))
        slack = int(self.streams.lengths.min()) - len(self) * self.seq_length
        return epoch % (slack + 1) + window * self.seq_length

    def batch(self, iteration: int) -> Batch:
        """Returns the batch of an iteration: for the same number always the same."""
        x, y = self.streams.window(self.start(iteration), self.seq_length)
        return Batch(x, y, np.full(self.streams.batch_size, iteration % len(self) == 0))


class Cut(NamedTuple):
    """Holds the three parts of a text."""

    train: Streams
    validation: Streams
    test: Streams


EVAL_ROWS = 32
"""At most so many streams in an evaluation: enough for full matrix products, few enough beginnings."""

EVAL_LENGTH = 512
"""At least so many characters in each stream of an evaluation."""


def side_by_side(ids: LongIds, start: int, stop: int) -> Streams:
    """Cuts `ids[start:stop]` into streams for an evaluation: every character but the first is predicted once."""
    n = max(0, stop - start - 1)
    rows = int(np.clip(n // EVAL_LENGTH, 1, EVAL_ROWS))
    length = -(-n // rows)
    offsets = np.arange(rows) * length
    return Streams(ids, start + offsets, np.clip(n - offsets, 0, length), offsets)


def split_tail(ids: LongIds, fractions: tuple[float, float, float], batch_size: int, seq_length: int) -> Cut:
    """Cuts off the end of a text: the training text comes first, then the validation text, then the test text.

    Raises DataError, with what is needed and what was found, if a part that is asked for is too short.
    """
    N = len(ids)
    n_validation, n_test = (int(N * fraction) for fraction in fractions[1:])
    n_train = N - n_validation - n_test
    needed = batch_size * seq_length + 1
    if n_train < needed:
        raise DataError(
            f"the text is too short: its training part has {n_train:,} characters, and batch_size {batch_size} x "
            f"seq_length {seq_length} needs {needed:,}; {_advice(n_train - 1, 1, seq_length)}"
        )
    for name, fraction, n in (
        ("validation", fractions[1], n_validation),
        ("test", fractions[2], n_test),
    ):
        if fraction and n < 2:
            raise DataError(
                f"the text is too short: its {name} part has {n} of the 2 characters needed; "
                f"use more text, or set the split of this part to 0 with {advice.setting('data.split', [1, 0, 0])}"
            )
    length = (n_train - 1) // batch_size
    first = np.arange(batch_size) * length
    return Cut(
        Streams(ids, first, np.full(batch_size, length), np.zeros_like(first)),
        side_by_side(ids, n_train, n_train + n_validation),
        side_by_side(ids, N - n_test, N),
    )


def split_columns(ids: LongIds, fractions: tuple[float, float, float], batch_size: int, seq_length: int) -> Cut:
    """Cuts the text into B rows, and splits the *columns* of this matrix, as Karpathy's char-rnn does.

    So the validation text is B pieces, one from each B-th of the text: losses are lower than on a contiguous tail
    (by about 0.1 nats on War and Peace) and must not be compared with it.
    """
    count = (len(ids) - 1) // (batch_size * seq_length)
    train, validation = (int(count * fraction) for fraction in fractions[:2])
    test = count - train - validation
    if not fractions[2]:
        validation, test = count - train, 0
    if train < 1 or (fractions[1] and validation < 1) or (fractions[2] and test < 1):
        windows = math.ceil(1 / min(f for f in fractions if f))
        raise DataError(
            f"the text is too short: it has {len(ids):,} characters, and batch_size {batch_size} x seq_length "
            f"{seq_length}, in {windows} windows to be split, needs {windows * batch_size * seq_length + 1:,}; "
            f"{_advice(len(ids) - 1, windows, seq_length)}"
        )
    rows = np.arange(batch_size) * count * seq_length

    def part(start: int, windows: int) -> Streams:
        first = rows + start * seq_length
        return Streams(ids, first, np.full(batch_size, windows * seq_length), first)

    return Cut(part(0, train), part(train, validation), part(train + validation, test))


def _advice(pairs: int, windows: int, seq_length: int) -> str:
    """Says what to do with a text of `pairs` characters to predict, of which `windows` of (T, B) must be made."""
    if pairs >= windows * seq_length:
        return f"use more text, or {advice.setting('train.batch_size', pairs // (windows * seq_length))}"
    if pairs >= windows:
        settings = advice.setting("train.batch_size", 1), advice.setting("train.seq_length", pairs // windows)
        return f"use more text, or {' '.join(settings)}"
    return f"use more text, or {advice.setting('data.split', [1, 0, 0])}"


CUTS = {"tail": split_tail, "columns": split_columns}
