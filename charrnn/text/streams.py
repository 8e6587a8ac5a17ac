"""One text as parallel streams, cut into windows of shape (T, B) for truncated backpropagation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import Literal, NamedTuple, Protocol, runtime_checkable

import numpy as np

from charrnn.arrays import Array, Batch, Ids
from charrnn.errors import DataError
from charrnn.text.short import Fault, remedy


class LongIds(Protocol):
    """Holds the ids of a text, from which batches are taken: an array (N,), or what takes them from disk."""

    def __len__(self) -> int: ...

    def take(self, index: Ids, /, *, mode: Literal["clip"]) -> Ids:
        """Returns the ids (T, B) at `index (T, B)`, whose columns run along the text; beyond an end, the last one."""
        ...


@runtime_checkable
class Spelled(LongIds, Protocol):
    """Holds the ids of a text some of whose characters are several symbols: places among them are no numbers of those.

    Others hold a symbol for each character.
    """

    @property
    def characters(self) -> int:
        """How many characters there are."""
        ...

    def place(self, character: int) -> int:
        """Returns where the character of this number begins; behind the last one, where the text ends."""
        ...

    def begun(self, place: int) -> int:
        """Returns how many characters begin before this place."""
        ...

    def sizes(self, start: int, stop: int) -> Ids:
        """Returns how many symbols each of these characters has: (stop - start,)."""
        ...


def characters_of(ids: LongIds) -> int:
    """Returns how many characters a text has."""
    return ids.characters if isinstance(ids, Spelled) else len(ids)


def place_of(ids: LongIds, character: int) -> int:
    """Returns where the character of this number begins."""
    return ids.place(character) if isinstance(ids, Spelled) else character


def begun_before(ids: LongIds, place: int) -> int:
    """Returns how many characters begin before this place."""
    return ids.begun(place) if isinstance(ids, Spelled) else place


@dataclass(frozen=True)
class Streams:
    """Cuts a text into B pieces that are read side by side; row b predicts `lengths[b]` symbols after `first[b]`.

    A symbol is a character, or a byte of one that is spelled.
    """

    ids: LongIds
    first: Array
    """Where each piece begins, (B,): this symbol is read, and the next is the first that is predicted."""
    lengths: Array
    """How many symbols each piece predicts: (B,)."""
    context: Array
    """How many symbols before `first[b]` may be read to warm up the state: (B,)."""

    def __len__(self) -> int:
        """Returns how many symbols are predicted."""
        return int(self.lengths.sum())

    def spans(self) -> list[tuple[int, int]]:
        """Returns from which character to which each piece predicts; one counts where its first symbol is."""
        starts = (self.first + 1).tolist()
        stops = (self.first + 1 + self.lengths).tolist()
        return [
            (begun_before(self.ids, start), begun_before(self.ids, stop))
            for start, stop in zip(starts, stops, strict=True)
        ]

    @property
    def characters(self) -> int:
        """How many characters are predicted."""
        if not isinstance(self.ids, Spelled):
            return len(self)
        return sum(stop - start for start, stop in self.spans())

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
    """Cuts characters `start` to `stop` into streams for an evaluation: every one but the first is predicted once."""
    first = place_of(ids, start + 1) - 1  # the last symbol of the first character
    n = max(0, place_of(ids, stop) - 1 - first)
    rows = int(np.clip(n // EVAL_LENGTH, 1, EVAL_ROWS))
    length = -(-n // rows)
    offsets = np.arange(rows) * length
    return Streams(ids, first + offsets, np.clip(n - offsets, 0, length), first - place_of(ids, start) + offsets)


def split_tail(ids: LongIds, fractions: tuple[float, float, float], batch_size: int, seq_length: int) -> Cut:
    """Cuts off the end of a text: the training text comes first, then the validation text, then the test text.

    Raises DataError, with what is needed and what was found, if a part that is asked for is too short.
    """
    _refuse_short(partial(_tail_fault, ids), fractions, batch_size, seq_length)
    N = characters_of(ids)
    end, n_validation, n_test = sizes_of_tail(N, fractions)
    n_train = place_of(ids, end)
    length = (n_train - 1) // batch_size
    first = np.arange(batch_size) * length
    return Cut(
        Streams(ids, first, np.full(batch_size, length), np.zeros_like(first)),
        side_by_side(ids, end, end + n_validation),
        side_by_side(ids, N - n_test, N),
    )


def sizes_of_tail(characters: int, fractions: tuple[float, float, float]) -> tuple[int, int, int]:
    """Returns how many characters of a text are for training, validation and test, which stand in this order."""
    validation, test = (int(characters * fraction) for fraction in fractions[1:])
    return characters - validation - test, validation, test


def _tail_fault(ids: LongIds, fractions: tuple[float, float, float], batch_size: int, seq_length: int) -> str:
    """Says which part of a text is too short; empty if none is."""
    sizes = dict(zip(("training", "validation", "test"), sizes_of_tail(characters_of(ids), fractions), strict=True))
    needed = batch_size * seq_length + 1
    if (n_train := place_of(ids, sizes["training"])) < needed:
        return (
            f"its training part has {n_train:,} {'symbols' if isinstance(ids, Spelled) else 'characters'}, and "
            f"batch_size {batch_size} x seq_length {seq_length} needs {needed:,}"
        )
    for (name, n), fraction in zip(sizes.items(), fractions, strict=True):
        if fraction and n < 2:
            return f"its {name} part has {n} of the 2 characters needed"
    return ""


def split_columns(ids: LongIds, fractions: tuple[float, float, float], batch_size: int, seq_length: int) -> Cut:
    """Cuts the text into B rows, and splits the *columns* of this matrix, as Karpathy's char-rnn does.

    So the validation text is B pieces, one from each B-th of the text: losses are lower than on a contiguous tail
    (by about 0.1 nats on War and Peace) and must not be compared with it.
    """
    _refuse_short(partial(_columns_fault, len(ids)), fractions, batch_size, seq_length)
    count = (len(ids) - 1) // (batch_size * seq_length)
    train, validation, test = _column_windows(count, fractions)
    rows = np.arange(batch_size) * count * seq_length

    def part(start: int, windows: int) -> Streams:
        first = rows + start * seq_length
        return Streams(ids, first, np.full(batch_size, windows * seq_length), first)

    return Cut(part(0, train), part(train, validation), part(train + validation, test))


def _column_windows(count: int, fractions: tuple[float, float, float]) -> tuple[int, int, int]:
    """Returns how many of `count` windows are in each part."""
    train, validation = (int(count * fraction) for fraction in fractions[:2])
    return (train, validation, count - train - validation) if fractions[2] else (train, count - train, 0)


def _columns_fault(N: int, fractions: tuple[float, float, float], batch_size: int, seq_length: int) -> str:
    """Says how many characters are needed where N are too few; empty if they are not."""
    parts = _column_windows((N - 1) // (batch_size * seq_length), fractions)
    if parts[0] >= 1 and all(windows >= 1 for windows, share in zip(parts, fractions, strict=True) if share):
        return ""
    windows = math.ceil(1 / min(f for f in fractions if f))
    return (
        f"it has {N:,} characters, and batch_size {batch_size} x seq_length {seq_length}, in {windows} windows to be "
        f"split, needs {windows * batch_size * seq_length + 1:,}"
    )


def _refuse_short(fault: Fault, fractions: tuple[float, float, float], batch_size: int, seq_length: int) -> None:
    """Raises DataError where a text is too short, with what to do about it."""
    if what := fault(fractions, batch_size, seq_length):
        raise DataError(f"the text is too short: {what}; {remedy(fault, fractions, batch_size, seq_length)}")


CUTS = {"tail": split_tail, "columns": split_columns}
