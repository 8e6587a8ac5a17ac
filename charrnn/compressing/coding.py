"""Symbols in B rows to bytes and back: what a predictor expects is costed, what no symbol stands for is escaped.

The file is cut into B pieces of the same length, give or take one, which are read side by side: a step codes a symbol
of each. Now and then a check of all symbols so far is coded too. So a decoder whose model computes other numbers than
the encoder's, and reads nonsense from there on, notices it soon.
"""

from __future__ import annotations

import math
import zlib
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from charrnn.arrays import Array, Ids
from charrnn.compressing.coder import Decoder, Encoder
from charrnn.compressing.predictor import TOTAL, Predictor

CHECK_EVERY = 1 << 15
"""About so many symbols are between two checks, and before the first."""

CHECK_BITS = 16


class Misread(Exception):
    """Says that a check did not come out: this model does not compute what the encoder's did."""

    def __init__(self, symbols: int) -> None:
        super().__init__(f"after {symbols:,} symbols")
        self.symbols = symbols
        """How many symbols had been read by then."""


@dataclass(frozen=True)
class Arrangement:
    """Says how N symbols stand in B rows, and what they are."""

    symbols: int
    """N, of the model or escaped bytes."""
    rows: int
    """B, how many pieces are read side by side."""
    V: int
    """Symbols of the model; an escaped byte b is V + b."""
    escapes: bool
    """Whether there are escaped bytes."""

    @property
    def steps(self) -> int:
        """How many symbols the longest row has."""
        return -(-self.symbols // self.rows)

    @property
    def lengths(self) -> Ids:
        """How many symbols each row has, (B,): the first rows have one more where they are not all alike."""
        return self.symbols // self.rows + (np.arange(self.rows) < self.symbols % self.rows)

    def table(self, ids: Ids) -> Ids:
        """Lays `ids (N,)` out in rows: (steps, B), with 0 where a row has ended."""
        table = np.zeros((self.steps, self.rows), np.int64)
        table.T[np.arange(self.steps) < self.lengths[:, None]] = ids
        return table

    def ids(self, table: Ids) -> Ids:
        """Returns the ids (N,) that stand in a table."""
        return table.T[np.arange(self.steps) < self.lengths[:, None]]


class Counts:
    """Counts what came, and so foresees what comes: for what no model knows."""

    def __init__(self, choices: int, weight: int) -> None:
        """Begins with each choice seen once; each time that one comes adds `weight`."""
        self._counts, self.total, self._weight = [1] * choices, choices, weight

    def interval(self, choice: int) -> tuple[int, int, int]:
        """Returns `start`, `count` and `total` of a choice, as an encoder takes them."""
        return sum(self._counts[:choice]), self._counts[choice], self.total

    def find(self, target: int) -> int:
        """Returns the choice in whose interval a target is."""
        choice = 0
        while target >= self._counts[choice]:
            target -= self._counts[choice]
            choice += 1
        return choice

    def note(self, choice: int) -> None:
        """Counts a choice that has come."""
        self._counts[choice] += self._weight
        self.total += self._weight


@dataclass
class Escapes:
    """Foresees whether a row's next symbol is an escaped byte, and which: by what came before in that row."""

    flags: dict[bool, Counts] = field(default_factory=lambda: {was: Counts(2, 2) for was in (False, True)})
    """Whether one follows, by whether the symbol before was one."""
    bytes: dict[int, Counts] = field(default_factory=dict)
    """Which it is, by the escaped byte before; by -1 where the symbol before was none."""
    before: dict[int, int] = field(default_factory=dict)
    """By row, the escaped byte that its last symbol was."""

    def flag(self, row: int) -> Counts:
        """Returns what is known of whether this row's next symbol is an escaped byte."""
        return self.flags[row in self.before]

    def byte(self, row: int) -> Counts:
        """Returns what is known of which byte that is."""
        return self.bytes.setdefault(self.before.get(row, -1), Counts(256, 16))

    def note(self, row: int, byte: int | None) -> None:
        """Remembers what a row's last symbol was: an escaped byte, or None for a symbol of the model."""
        if byte is None:
            self.before.pop(row, None)
        else:
            self.before[row] = byte


class _Side:
    """Is one end of the line: it sends or receives choices. What both do alike is here."""

    def __init__(self, arrangement: Arrangement, predictor: Predictor) -> None:
        self.arrangement, self.predictor = arrangement, predictor
        self._escapes = Escapes() if arrangement.escapes else None

    @abstractmethod
    def _choose(self, counts: Counts, choice: int) -> int:
        """Sends a choice, or receives it; returns it."""

    @abstractmethod
    def _symbols(self, counts: Array, rows: list[int], symbols: Ids) -> None:
        """Sends the symbols of some rows, or receives them, of which the model's `counts` are (B, V)."""

    @abstractmethod
    def _check(self, number: int) -> bool:
        """Sends a check, or receives one; returns whether it is right."""

    def run(self, table: Ids, tell: Callable[[int], None]) -> None:
        """Goes through all steps of `table (steps, B)`, which is sent or filled; `tell` is told the symbols so far.

        Raises Misread.
        """
        V, lengths, done, checked, check = self.arrangement.V, self.arrangement.lengths, 0, 0, 0
        last = int(lengths.min())
        every = list(range(self.arrangement.rows))
        for t, symbols in enumerate(table):
            rows = every if t < last else np.flatnonzero(lengths > t).tolist()
            coded = self._escaped(rows, symbols)
            counts = self.predictor.counts()
            self._symbols(counts, coded, symbols)
            done += len(rows)
            check = zlib.crc32(symbols.astype("<i4").tobytes(), check)
            if done - checked >= CHECK_EVERY:
                checked = done
                if not self._check(check & ((1 << CHECK_BITS) - 1)):
                    raise Misread(done)
            known = None if len(coded) == len(every) else np.isin(every, coded)
            if t + 1 < len(table):
                self.predictor.read(np.minimum(symbols, V - 1), known)
            tell(done)

    def _escaped(self, rows: list[int], symbols: Ids) -> list[int]:
        """Sends or receives the escaped bytes among the next symbols; returns the rows whose symbol is none."""
        if self._escapes is None:
            return rows
        others = []
        for row in rows:
            flag, symbol, byte = self._escapes.flag(row), int(symbols[row]), None
            is_escaped = self._choose(flag, int(symbol >= self.arrangement.V))
            flag.note(is_escaped)
            if is_escaped:
                counts = self._escapes.byte(row)
                byte = self._choose(counts, max(0, symbol - self.arrangement.V))
                counts.note(byte)
                symbols[row] = self.arrangement.V + byte
            else:
                others.append(row)
            self._escapes.note(row, byte)
        return others


class Sender(_Side):
    """Turns a table into bytes."""

    def __init__(self, arrangement: Arrangement, predictor: Predictor) -> None:
        super().__init__(arrangement, predictor)
        self.coder = Encoder()
        self.nats = 0.0
        """What all symbols of the model so far cost by the model itself."""
        self.escape_bits = 0.0
        """What it cost to tell which bytes are no symbols, and which they are."""
        self.check_bits = 0

    def _choose(self, counts: Counts, choice: int) -> int:
        start, count, total = counts.interval(choice)
        self.coder.put(start, count, total)
        self.escape_bits -= math.log2(count / total)
        return choice

    def _symbols(self, counts: Array, rows: list[int], symbols: Ids) -> None:
        if not rows:
            return
        stops, chosen = counts.cumsum(axis=1), symbols[rows]
        sizes = counts[rows, chosen]
        for start, size in zip((stops[rows, chosen] - sizes).tolist(), sizes.tolist(), strict=True):
            self.coder.put(start, size, TOTAL)
        self.nats += float(self.predictor.nats(np.minimum(symbols, self.arrangement.V - 1))[rows].sum())

    def _check(self, number: int) -> bool:
        self.coder.put(number, 1, 1 << CHECK_BITS)
        self.check_bits += CHECK_BITS
        return True


class Receiver(_Side):
    """Fills a table from bytes."""

    def __init__(self, arrangement: Arrangement, predictor: Predictor, data: bytes) -> None:
        super().__init__(arrangement, predictor)
        self.coder = Decoder(data)

    def _choose(self, counts: Counts, choice: int) -> int:
        found = counts.find(self.coder.target(counts.total))
        start, count, _ = counts.interval(found)
        self.coder.take(start, count)
        return found

    def _symbols(self, counts: Array, rows: list[int], symbols: Ids) -> None:
        stops = counts.cumsum(axis=1)
        for row in rows:
            of_row = stops[row]
            found = int(of_row.searchsorted(self.coder.target(TOTAL), "right"))
            start = int(of_row[found - 1]) if found else 0
            self.coder.take(start, int(of_row[found]) - start)
            symbols[row] = found

    def _check(self, number: int) -> bool:
        found = self.coder.target(1 << CHECK_BITS)
        self.coder.take(found, 1)
        return found == number
