"""From bytes to integers, in one pass over a text of any size.

What is kept of a text is its distinct symbols and a small integer for each character. These integers number the symbols
as they appear, since only at the end it is known which there are; a table of the symbols makes them a model's ids when
they are read.
"""

from __future__ import annotations

import codecs
import hashlib
import itertools
import re
import sys
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from charrnn.arrays import Ids
from charrnn.errors import DataError
from charrnn.text.codes import Codes
from charrnn.text.origin import NOWHERE, Origin
from charrnn.text.vocabulary import BYTES, Vocabulary, code_points

WHOLE = ("punycode", "utf-7")
"""Encodings that Python can decode, or encode, only as a whole."""

MARKS = {
    "utf-16": (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE),
    "utf-32": (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE),
}
"""The byte order marks of encodings that may begin with one."""


class EmptyText(DataError):
    """Says that a text has no characters."""


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


@dataclass(frozen=True)
class Text:
    """Holds a text as read: nothing is translated, so CRLF and BOM are characters like others."""

    symbols: str
    """Its distinct characters, in order of appearance."""
    codes: Codes
    """Character i is `symbols[codes[i]]`."""
    name: str
    encoding: str
    size: int
    """How many bytes were read."""
    sha256: str
    """The checksum of those bytes."""
    origin: Origin = NOWHERE
    """Where it is found again."""

    def __len__(self) -> int:
        return len(self.codes)

    def ids(self, vocabulary: Vocabulary) -> TextIds:
        """Returns the text in the ids of a vocabulary. Raises DataError that names the characters it lacks."""
        return TextIds(self.codes, vocabulary.encode(self.symbols))

    def pieces(self, start: int = 0, stop: int | None = None) -> Iterator[str]:
        """Yields the characters from `start` to `stop`, about a million at a time."""
        return _pieces(self.symbols, self.codes, start, stop)


def decode(chunks: Iterable[bytes], name: str, encoding: str, cache: Path | None = None) -> Text:
    """Decodes `chunks` of bytes, the first of which has four bytes or more, if there are so many.

    A large one is kept in a file in the folder `cache`, or in the system's for what is temporary. Raises DataError with
    the offset of the first byte that does not fit, EmptyText where there are none, and OutputError where the disk is
    full.
    """
    if codecs.lookup(_codec(encoding)).name in WHOLE:
        chunks = [b"".join(chunks)]
    digest, size, lines = hashlib.sha256(), 0, 0
    numbering, decoder, head = _Numbering(), None, b""
    codes = Codes(cache or Path(tempfile.gettempdir()))
    with ThreadPoolExecutor(1) as pool:
        for chunk in itertools.chain(chunks, [b""]):
            hashed = pool.submit(digest.update, chunk)  # which takes as long as all the rest
            size += len(chunk)
            lines += int(np.count_nonzero(np.frombuffer(chunk, np.uint8) == 10))
            head = head or chunk
            decoder = decoder or _decoder(encoding, head)
            try:
                characters = decoder.decode(chunk, final=not chunk)
            except UnicodeError as error:
                misfit = _misfit(error, size, lines, _likely(encoding, head))
                raise DataError(f"{name} is not {encoding}: {misfit}") from error
            known = len(numbering.symbols)
            new = numbering.codes(characters)
            if lone := _SURROGATE.search(numbering.symbols, known):  # some of Python's encodings can write them
                before = [*_pieces(numbering.symbols, codes), characters.partition(lone[0])[0]]
                line = sum(piece.count("\n") for piece in before) + 1
                raise DataError(
                    f"{name} has the lone surrogate U+{ord(lone[0]):04X} in line {line}, which is no character; "
                    f"take it out"
                )
            if numbering.dtype.itemsize > codes.dtype.itemsize:
                codes = codes.widened(numbering.dtype)
            codes.append(new)
            hashed.result()  # so that chunks do not pile up
    if not codes:
        raise EmptyText(f"{name} is empty; give a text to learn from")
    return Text(numbering.symbols, codes, name, encoding, size, digest.hexdigest())


_SURROGATE = re.compile("[\ud800-\udfff]")


def _likely(encoding: str, head: bytes) -> str:
    """Guesses what encoding a text that begins with `head` may have, if not `encoding`."""
    if codecs.lookup(_codec(encoding)).name in MARKS:
        return "latin-1"
    longest_first = reversed(MARKS)  # for one of UTF-32 begins like one of UTF-16
    return next((codec for codec in longest_first if head.startswith(MARKS[codec])), "latin-1")


def _misfit(error: UnicodeError, size: int, lines: int, likely: str) -> str:
    """Says where a byte does not fit, after `size` bytes with so many line ends, and what to do."""
    if not isinstance(error, UnicodeDecodeError):
        return f"{error}; try --set data.encoding=bytes"
    rest, start = error.object, error.start  # the end of what was read, with all that was not yet understood
    return (
        f"byte {rest[start]:#04x} at offset {size - len(rest) + start} (line {lines - rest.count(10, start) + 1}); "
        f"name its encoding with --set data.encoding={likely}, or read bytes with --set data.encoding=bytes"
    )


def encoded_size(pieces: Iterable[str], encoding: str) -> int:
    """Returns how many bytes the text of all `pieces` takes, without the byte order mark that some encodings add."""
    codec = _codec(encoding)
    if codecs.lookup(codec).name in WHOLE:
        pieces = ["".join(pieces)]
    encoder = codecs.getincrementalencoder(codec)()
    sizes = [len(encoder.encode(piece, final=False)) for piece in pieces]
    return sum(sizes) + len(encoder.encode("", final=True)) - len("".encode(codec))


def _codec(encoding: str) -> str:
    return "latin-1" if encoding == BYTES else encoding


def _decoder(encoding: str, head: bytes) -> codecs.IncrementalDecoder:
    """Returns what decodes, chunk by chunk, a text that begins with `head`."""
    codec = codecs.lookup(_codec(encoding)).name
    if codec in MARKS and not head.startswith(MARKS[codec]):
        # Without a mark, bytes.decode takes the order of this machine, and the incremental decoder fails.
        codec += "-le" if sys.byteorder == "little" else "-be"
    return codecs.getincrementaldecoder(codec)()


def _pieces(symbols: str, codes: Codes, start: int = 0, stop: int | None = None) -> Iterator[str]:
    points = code_points(symbols)
    for block in codes.blocks(start, stop):
        yield points.take(block).tobytes().decode("utf-32-le")


class _Numbering:
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
