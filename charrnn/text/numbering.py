"""Numbers for symbols, in the order in which they appear: while a text is read, nobody knows which there will be."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from charrnn.arrays import Ids
from charrnn.text.vocabulary import code_points


class Numbering:
    """Numbers symbols as they appear."""

    OTHER = 255
    """Stands for symbols that are new, or whose code does not fit in a byte."""

    def __init__(self) -> None:
        self.symbols = ""
        self._codes = np.full(sys.maxunicode + 1, -1, np.int32)
        """The code of each code point, or -1."""
        self._narrow = bytes([self.OTHER]) * 256
        """The codes of the first 256 code points, as bytes, or OTHER."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """The smallest integer type that holds every code."""
        return np.min_scalar_type(max(0, len(self.symbols) - 1))

    def codes(self, characters: str) -> Ids:
        """Returns the codes (n,) of `characters`, among which may be new symbols."""
        try:  # most texts, most of the time, and several times as fast as the rest
            narrow = characters.encode("latin-1").translate(self._narrow)
            if self.OTHER not in narrow:
                return np.frombuffer(narrow, np.uint8)
        except UnicodeEncodeError:
            pass
        points = code_points(characters)
        codes = self._codes.take(points)
        if codes.min(initial=0) < 0:
            self._add("".join(dict.fromkeys(map(chr, points[codes < 0].tolist()))))
            codes = self._codes.take(points)
        return codes

    def _add(self, symbols: str) -> None:
        known = len(self.symbols)
        self.symbols += symbols  # all at once: each time, what is there already is copied
        self._codes[code_points(symbols)] = np.arange(known, len(self.symbols))
        first = self._codes[:256]
        self._narrow = np.where(first < 0, self.OTHER, np.minimum(first, self.OTHER)).astype(np.uint8).tobytes()
