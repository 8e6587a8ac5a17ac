"""From bytes to integers, in one pass over a text of any size.

What is kept of a text is its distinct symbols and a small integer for each character. These integers number the symbols
as they appear, since only at the end it is known which there are; a table of the symbols makes them a model's ids when
they are read.
"""

from __future__ import annotations

import codecs
import hashlib
import io
import itertools
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

import numpy as np

from charrnn import advice
from charrnn.background import Background
from charrnn.errors import DataError
from charrnn.text.codes import Codes
from charrnn.text.detecting import MARKS, doubt, remedy_for
from charrnn.text.numbering import Numbering
from charrnn.text.options import KEEP, LF
from charrnn.text.origin import NOWHERE, FileRead, Origin
from charrnn.text.text import MARK, SURROGATE, EmptyText, Text, pieces_of
from charrnn.text.vocabulary import BYTES

WHOLE = ("punycode", "utf-7")
"""Encodings that Python can decode, or encode, only as a whole."""


def decode(chunks: Iterable[bytes], name: str, encoding: str, cache: Path | None = None) -> Text:
    """Decodes `chunks` of bytes, the first of which has four bytes or more, if there are so many.

    A large one is kept in a file in the folder `cache`, or in the system's for what is temporary. Raises DataError with
    the offset of the first byte that does not fit, EmptyText where there are none, and OutputError where the disk is
    full.
    """
    with Reader(encoding, cache) as reader:
        reader.begin(name)
        for chunk in itertools.chain(chunks, [b""]):
            reader.feed(chunk)
        return reader.text(name)


class Reader:
    """Decodes the files that make a text, one after another, in chunks of bytes.

    Each file begins anew: with its own byte order mark, which is no symbol of the text unless bytes are read as such,
    and with its own offsets in messages.
    """

    def __init__(
        self, encoding: str, cache: Path | None = None, newlines: str = KEEP, naming: str = "data.encoding"
    ) -> None:
        """`naming` is the option or key of an encoding, for messages; with `newlines` "lf", line ends become one."""
        self.encoding, self.naming = encoding, naming
        self.codes = Codes(cache or Path(tempfile.gettempdir()))
        self.marks: list[str] = []
        """The files that began with a byte order mark which their encoding need not have."""
        self.marked = False
        """Whether a file began with a byte order mark, which as in UTF-16 may be what tells the order."""
        self.open_ends = 0
        """How many files did not end with a line end, though another came after."""
        self.doubts: list[str] = []
        """What speaks against the encoding of some files, a line each."""
        self.files: list[FileRead] = []
        self._whole = codecs.lookup(_codec(encoding)).name in WHOLE
        self._translate = newlines == LF
        self._last = ""
        self._numbering = Numbering()
        self._background = Background()
        self._digests: list[Any] = []
        """The digest of the file, and from the second file on that of all of them too."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._background.__exit__(*error)

    def begin(self, name: str) -> None:
        """Begins the next file."""
        if self.codes:
            self.open_ends += self._last not in ("\n", "\r")
        self._name, self._size, self._lines = name, 0, 0
        self._start, self._known = len(self.codes), len(self.symbols)
        self._head, self._is_begun = b"", False
        self._decoder: codecs.IncrementalDecoder | None = None
        self._line_ends = io.IncrementalNewlineDecoder(None, translate=True) if self._translate else None
        self._held: list[bytes] = []
        of_all = self._digests[-1:]
        self._digests = [hashlib.sha256(), *(digest.copy() for digest in of_all)]

    def feed(self, chunk: bytes) -> None:
        """Takes the next bytes of the file; none for its end. Raises DataError for those that do not fit."""
        if self._whole and chunk:
            self._held.append(chunk)
            return
        if self._whole:
            self._take(b"".join(self._held))
        self._take(chunk)
        if not chunk:
            self._end()

    def _take(self, chunk: bytes) -> None:
        """Decodes bytes of the file, the last of which are none."""
        hashed = self._background.submit(self._hash, chunk)  # which takes as long as all the rest
        self._size += len(chunk)
        self._lines += int(np.count_nonzero(np.frombuffer(chunk, np.uint8) == 10))
        self._head = self._head or chunk
        self.marked |= _begins_with_its_mark(self.encoding, self._head)
        self._decoder = self._decoder or _decoder(self.encoding, self._head)
        try:
            characters = self._decoder.decode(chunk, final=not chunk)
        except UnicodeError as error:
            raise DataError(self._misfit(error, chunk)) from error
        self._add(characters, final=not chunk)
        hashed.result()  # so that chunks do not pile up

    def _hash(self, chunk: bytes) -> None:
        for digest in self._digests:
            digest.update(chunk)

    def _add(self, characters: str, final: bool) -> None:
        """Adds characters of the file; `final` says that there are no more."""
        if characters and not self._is_begun:
            self._is_begun = True
            if characters[0] == MARK and self.encoding != BYTES:
                characters = characters[1:]
                self.marked = True
                self.marks.append(self._name)
        if self._line_ends:
            characters = self._line_ends.decode(characters, final)
        self._last = characters[-1:] or self._last
        known = len(self._numbering.symbols)
        new = self._numbering.codes(characters)
        if lone := SURROGATE.search(self._numbering.symbols, known):  # some of Python's encodings can write them
            before = [*pieces_of(self._numbering.symbols, self.codes, self._start), characters.partition(lone[0])[0]]
            line = sum(piece.count("\n") for piece in before) + 1
            raise DataError(
                f"{self._name} has the lone surrogate U+{ord(lone[0]):04X} in line {line}, which is no character; "
                f"take it out"
            )
        if self._numbering.dtype.itemsize > self.codes.dtype.itemsize:
            self.codes = self.codes.widened(self._numbering.dtype)
        self.codes.append(new)

    def _end(self) -> None:
        """Ends the file."""
        self.files.append(FileRead(self._name, self._size, self._digests[0].hexdigest()))
        if found := doubt(self.encoding, self._head, self.symbols[self._known :]):
            what, likely = found
            self.doubts.append(
                f"{self._name} was read as {self.encoding}, and {what}; if it is {likely}: "
                f"{advice.option(self.naming, likely)}"
            )

    @property
    def symbols(self) -> str:
        """The distinct characters so far, in order of appearance."""
        return self._numbering.symbols

    @property
    def sha256(self) -> str:
        """The checksum of all bytes so far."""
        return str(self._digests[-1].hexdigest())

    def text(self, name: str, origin: Origin = NOWHERE) -> Text:
        """Returns all that was read as one text. Raises EmptyText where that is nothing."""
        if not self.codes:
            raise EmptyText(f"{name} is empty; give a text that has characters")
        size = sum(file.size for file in self.files)
        return Text(self.symbols, self.codes, name, self.encoding, size, self.sha256, origin, self.marked)

    def _misfit(self, error: UnicodeError, chunk: bytes) -> str:
        """Says where in the file a byte does not fit, and what to do."""
        as_bytes = f", or read bytes with {advice.setting('data.encoding', BYTES)}"
        as_bytes *= not self.naming.startswith("-")
        if not isinstance(error, UnicodeDecodeError):
            return f"{self._name} is not {self.encoding}: {error}; name its encoding{as_bytes}"
        rest, start = error.object, error.start  # the end of what was read, with all that was not yet understood
        remedy = remedy_for(self.encoding, chunk or self._head, self.naming)
        return (
            f"{self._name} is not {self.encoding}: byte {rest[start]:#04x} at offset "
            f"{self._size - len(rest) + start} (line {self._lines - rest.count(10, start) + 1}); {remedy}{as_bytes}"
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


def _begins_with_its_mark(encoding: str, head: bytes) -> bool:
    """Tells whether a text begins with a byte order mark that its decoder takes for itself."""
    marks: dict[str, tuple[bytes, ...]] = {**MARKS, "utf-8-sig": (codecs.BOM_UTF8,)}
    return head.startswith(marks.get(codecs.lookup(_codec(encoding)).name, ()))


def _decoder(encoding: str, head: bytes) -> codecs.IncrementalDecoder:
    """Returns what decodes, chunk by chunk, a text that begins with `head`."""
    codec = codecs.lookup(_codec(encoding)).name
    if codec in MARKS and not head.startswith(MARKS[codec]):
        # Without a mark, bytes.decode takes the order of this machine, and the incremental decoder fails.
        codec += "-le" if sys.byteorder == "little" else "-be"
    return codecs.getincrementaldecoder(codec)()
