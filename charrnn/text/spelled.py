"""The ids of a text: a symbol for each character, or more where rare characters are spelled in bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from charrnn.arrays import Ids
from charrnn.text.codes import BLOCK, Codes
from charrnn.text.utf8 import MOST_BYTES


@dataclass(frozen=True)
class TextIds:
    """Stands for the array of a text's ids in a model's vocabulary, and translates what is read of it."""

    codes: Codes
    table: Ids
    """The id of each code."""

    def __len__(self) -> int:
        return len(self.codes)

    def take(self, index: Ids, /, *, mode: Literal["clip"]) -> Ids:
        """Returns the ids (T, B) at `index (T, B)`, whose columns run along the text, as an array does."""
        return self.table.take(self.codes.take(index))


class SpelledIds:
    """Stands for the array of a text's ids, (N,), some of whose characters are several of them.

    They are made once, and kept as the codes of the text are: in memory, or on disk where they are many.
    """

    def __init__(self, text: Codes, spelled: Ids, sizes: Ids) -> None:
        """`spelled (S, 4)` are the ids of each code of `text`, of which its row's first `sizes (S,)` count."""
        self._text, self._sizes = text, sizes
        self._codes = Codes(text.folder, spelled.dtype)
        begins = [0]
        for codes in text.blocks():
            self._codes.append(spelled[codes][np.arange(MOST_BYTES) < sizes[codes][:, None]])
            begins.append(len(self._codes))
        self._begins = np.array(begins)
        """Where each block of characters begins, and the end of the last."""

    def __len__(self) -> int:
        """Returns how many symbols there are."""
        return len(self._codes)

    @property
    def characters(self) -> int:
        """How many characters there are."""
        return len(self._text)

    def take(self, index: Ids, /, *, mode: Literal["clip"]) -> Ids:
        """Returns the ids (T, B) at `index (T, B)`, whose columns run along the text; beyond an end, the last one."""
        return self._codes.take(index)

    def place(self, character: int) -> int:
        """Returns where the character of this number begins; behind the last one, where the text ends."""
        block = min(character, self.characters) // BLOCK
        return int(self._begins[block]) + int(self.sizes(block * BLOCK, character).sum())

    def begun(self, place: int) -> int:
        """Returns how many characters begin before this place among the symbols."""
        block = max(0, int(self._begins.searchsorted(place)) - 1)
        sizes = self.sizes(block * BLOCK, (block + 1) * BLOCK)
        places = self._begins[block] + sizes.cumsum() - sizes
        return block * BLOCK + int(places.searchsorted(place))

    def sizes(self, start: int, stop: int) -> Ids:
        """Returns how many symbols each of these characters has: (stop - start,), or fewer at the end of the text."""
        found = [self._sizes[codes] for codes in self._text.blocks(start, min(stop, self.characters))]
        return np.concatenate([np.zeros(0, np.int64), *found])
