"""Guesses how a text is encoded, from some of its bytes: where it cannot be read as was said, and where it should not.

UTF-8, UTF-16 and UTF-32 show by their form, and a text of Western Europe by its letters beyond ASCII: they are nearly
all of one of its languages. For the others there is `charset-normalizer`, which is asked if it is installed
(`charrnn[detect]`), and whose answer is told as a guess.
"""

from __future__ import annotations

import codecs
import re

import numpy as np

from charrnn import advice
from charrnn.text.alphabets import is_western, signs_within_words
from charrnn.text.vocabulary import BYTES

MARKS = {
    "utf-16": (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE),
    "utf-32": (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE),
}
"""The byte order marks of encodings that may begin with one."""

SAMPLE = 1 << 16
"""Bytes that are looked at."""

MOST_HIGH = 0x20
"""The high byte of typographic quotes and dashes in UTF-16; those of most alphabets are below it."""

FEW = 20
"""Bytes beyond ASCII below which nothing can be said of what they are."""

COMMON = [
    "cp1250", "iso8859_2", "cp1251", "koi8_r", "koi8_u", "cp866", "iso8859_5", "cp1253", "iso8859_7", "cp1254",
    "iso8859_9", "cp1255", "iso8859_8", "cp1256", "cp1257", "iso8859_13", "cp1258", "tis_620", "shift_jis", "cp932",
    "euc_jp", "euc_kr", "cp949", "gb18030", "big5",
]  # fmt: skip
"""Encodings in which texts are met that are not of Western Europe; among all that there are, rare ones are guessed."""

_LETTER = re.compile(rb"[A-Za-z]")
_HIGH = re.compile(rb"[\x80-\xff]")
_CONTROL = re.compile(rb"[\x80-\x9f]")


def marked(head: bytes) -> str | None:
    """Returns the encoding whose byte order mark a text begins with, of those in MARKS."""
    longest_first = reversed(MARKS)  # for one of UTF-32 begins like one of UTF-16
    return next((codec for codec in longest_first if head.startswith(MARKS[codec])), None)


def wide(head: bytes) -> str | None:
    """Returns the encoding of a text of two or four bytes a character without a mark, as `utf-16-le`; None for others.

    Of nearly all alphabets, the high byte of each character is one of a few, at most MOST_HIGH and often 0.
    """
    sample = np.frombuffer(head[:SAMPLE][: len(head[:SAMPLE]) // 4 * 4], np.uint8)
    if len(sample) < 8 or sample.all():
        return None
    places = sample.reshape(-1, 4)
    zeros, planes = (places == 0).mean(axis=0), (places <= 0x10).mean(axis=0)
    if zeros[3] > 0.99 and planes[2] > 0.99 and zeros[0] < 0.1:
        return "utf-32-le"
    if zeros[0] > 0.99 and planes[1] > 0.99 and zeros[3] < 0.1:
        return "utf-32-be"
    high = (places <= MOST_HIGH) | ((places >= 0xD8) & (places < 0xE0))  # or of a surrogate
    even, odd = (high[:, k::2].mean() for k in range(2))
    some = zeros.max() > 0.05
    if some and odd > 0.95 and even < 0.5:
        return "utf-16-le"
    return "utf-16-be" if some and even > 0.95 and odd < 0.5 else None


def guess(sample: bytes) -> str | None:
    """Returns the encoding that a text which is no UTF-8 may have, or "utf-8" if that is damaged; None if unsure."""
    return _known(sample[:SAMPLE]) or _asked(sample[:SAMPLE])


def _known(sample: bytes) -> str | None:
    """Returns the encoding that shows by the form of a text and by its letters; None where that takes statistics."""
    if found := marked(sample) or wide(sample):
        return found
    read = sample.decode("utf-8", "replace")
    beyond = sum(character > "\x7f" for character in read)
    if beyond > 10 * read.count("\ufffd"):
        return "utf-8"
    if len(_HIGH.findall(sample)) >= FEW and not is_western(sample):
        return None
    if _CONTROL.search(sample):
        try:
            sample.decode("cp1252")
        except UnicodeError:
            return "latin-1"
        return "cp1252"
    return "latin-1"


def _asked(sample: bytes) -> str | None:
    """Returns what charset-normalizer takes a text for, if it is installed and has an answer."""
    try:
        from charset_normalizer import from_bytes  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        return None
    matches = from_bytes(sample, cp_isolation=COMMON, threshold=0.5)
    readable = (match for match in matches if not signs_within_words(sample.decode(match.encoding, "replace")))
    best = next(readable, matches.best())
    if best is None:
        return None
    found = codecs.lookup(str(best.encoding)).name
    if found == "cp1250" and not _CONTROL.search(sample):  # where that has letters which nearly all its texts have
        return "iso8859-2"
    return found


def remedy_for(encoding: str, sample: bytes, naming: str) -> str:
    """Says what to do with a text that is not in an encoding, by a `sample` of it; `naming` names another encoding."""
    sample = sample[:SAMPLE]
    likely = _known(sample)
    if likely == "utf-8" and same_encoding(likely, encoding):
        return f"the rest is {likely}, so it is damaged there: mend it"
    if likely and same_encoding(likely, encoding):
        likely = "latin-1"  # which reads anything
    if likely:
        return f"name its encoding with `{advice.option(naming, likely)}`"
    guessed = _asked(sample)
    if guessed and not same_encoding(guessed, encoding):
        return f"it may be {guessed}, by a guess: name its encoding, as with `{advice.option(naming, guessed)}`"
    return (
        f"name its encoding, as with `{advice.option(naming, _example(sample))}` (or {OTHERS}; "
        f"charrnn[detect] guesses which)"
    )


OTHERS = "iso8859-2, cp1254, koi8-r, shift_jis, gb18030 and many others"


def _example(sample: bytes) -> str:
    """Returns an encoding as an example: one of Central Europe where most letters are of ASCII, or else a Cyrillic."""
    letters = len(_LETTER.findall(sample))
    return "cp1250" if letters > len(_HIGH.findall(sample)) else "cp1251"


def same_encoding(one: str, other: str) -> bool:
    """Tells whether two names are of the same encoding."""
    return BYTES not in (one, other) and codecs.lookup(one).name == codecs.lookup(other).name


def doubt(encoding: str, head: bytes, new: str) -> tuple[str, str] | None:
    """Returns what speaks against an encoding in which a file could be read, and the one that it may have instead.

    `head` is its beginning, and `new` are the symbols that no file before it had.
    """
    codec = encoding if encoding == BYTES else codecs.lookup(encoding).name
    if codec.startswith(("utf-16", "utf-32")):
        return None
    if found := marked(head):
        return f"it begins with the byte order mark of {found}", found
    if found := wide(head):
        return f"it looks like {found} without a byte order mark", found
    if codec == BYTES or codec.startswith("utf"):
        return None
    sample = head[:SAMPLE]
    if not sample.isascii() and _is_utf_8(sample):
        return "it is valid utf-8", "utf-8"
    if codec == "iso8859-1" and (found_at := _CONTROL.search(head + new.encode("latin-1"))):
        return f"it has U+{found_at[0][0]:04X}, a control character, where cp1252 has a letter or a quote", "cp1252"
    return None


def _is_utf_8(sample: bytes) -> bool:
    """Tells whether bytes are UTF-8, whose last character may be cut off."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample)
    except UnicodeError:
        return False
    return True
