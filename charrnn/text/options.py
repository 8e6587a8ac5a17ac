"""The section `data` of a configuration."""

from __future__ import annotations

import codecs
import difflib
import math
from dataclasses import dataclass
from typing import Any

from charrnn.keys import key

KEEP, LF = "keep", "lf"
"""What becomes of line ends: nothing, or each of Unix, of Windows and of old Macs becomes that of Unix."""


def parse_encoding(value: Any) -> str:
    """Returns the name of an encoding that Python knows, or "bytes". Raises ValueError for any other."""
    name = str(value)
    try:
        known = name == "bytes" or codecs.lookup(name)._is_text_encoding
    except (LookupError, ValueError):
        known = False
    if not known:
        raise ValueError("'bytes' or the name of an encoding that Python knows, such as utf-8")
    return name


def parse_split(value: Any) -> tuple[float, float, float]:
    """Returns three shares that add up to 1, the first of them above 0. Raises ValueError for anything else."""
    a = b = c = -1.0
    if isinstance(value, list | tuple) and len(value) == 3 and all(type(part) in (int, float) for part in value):
        a, b, c = (float(part) for part in value)
    if not min(a, b, c) >= 0 or a == 0 or not math.isclose(a + b + c, 1, abs_tol=1e-6):
        raise ValueError("three numbers that add up to 1, for training, validation and test: [0.9, 0.05, 0.05]")
    return a, b, c


def parse_columns(value: Any) -> tuple[int, int] | None:
    """Returns the numbers of two columns, counted from 1, or None for None. Raises ValueError for anything else."""
    if value is None:
        return None
    if isinstance(value, list | tuple) and len(value) == 2 and all(type(part) is int and part > 0 for part in value):
        first, second = value
        return first, second
    raise ValueError("two whole numbers from 1, as in [1, 2], or null")


def parse_documents(value: Any) -> str | None:
    """Returns `lines`, `files` or what separates documents, or None for None. Raises ValueError for anything else."""
    near = difflib.get_close_matches(str(value), ("lines", "files"), n=1, cutoff=0.8)
    if value is None or (isinstance(value, str) and value and near in ([], [value])):
        return value
    raise ValueError('lines, files, a text that stands between documents such as "\\n\\n", or null')


@dataclass(frozen=True)
class DataConfig:
    """How a text is read and cut."""

    encoding: str = key(
        "utf-8",
        "of the text; `bytes` makes each byte a symbol, whatever it means",
        parse=parse_encoding,
    )
    split: tuple[float, float, float] = key(
        (0.9, 0.05, 0.05), "shares for training, validation and test", parse=parse_split
    )
    split_by: str = key(
        "tail",
        "`tail` cuts the text in three; `columns` cuts each of the streams, as char-rnn does",
        choices=("tail", "columns"),
    )
    documents: str | None = key(
        None,
        "the text is many, which have nothing to do with each other: `lines`, each line is one; `files`, each file of "
        'a folder; or what stands between them, such as `"\\n\\n"`',
        parse=parse_documents,
    )
    max_vocab: int | None = key(
        None,
        "the most characters that get a symbol of their own: the most frequent in the training part; any others are "
        "spelled in the bytes of their UTF-8",
        at_least=0,
    )
    min_count: int | None = key(
        None,
        "how often a character occurs in the training part to get a symbol of its own; any others are spelled in the "
        "bytes of their UTF-8. With 1, those alone that do not occur there",
        at_least=1,
    )
    vocabulary: str = key(
        "new",
        "with `--init-from`, whose characters have symbols: `new`, those of this text; `keep`, those of the old run, "
        "an error where this text has others, unless they are spelled in bytes; `union`, those of both",
        choices=("new", "keep", "union"),
    )
    newlines: str = key(
        KEEP,
        "`lf` makes the line ends of Windows (CRLF) and of old Macs (CR) those of Unix (LF); `keep` leaves them",
        choices=(KEEP, LF),
    )
    columns: tuple[int, int] | None = key(
        None, "which two columns of a table are read, where it has more: `[1, 2]`", parse=parse_columns
    )
    validation: str | None = key(None, "a file to validate on, instead of a share of the data")
    test: str | None = key(None, "a file to test on, instead of a share of the data")

    @property
    def has_fallback(self) -> bool:
        """Whether characters without a symbol of their own are spelled in bytes."""
        return self.max_vocab is not None or self.min_count is not None
