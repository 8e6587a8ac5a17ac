r"""What cannot be typed, as it is typed: `\n` for a line end, and others, in options that take a text."""

from __future__ import annotations

import re

from charrnn.errors import ConfigError

SIMPLE = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\"}
"""What stands behind a backslash, and what it means."""

KNOWN = r"\n \t \r \\ \xNN \uNNNN \UNNNNNNNN"
"""All escapes, for messages and help."""

_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.?))", re.DOTALL)


def typed(text: str, option: str, encoding: str) -> str:
    r"""Returns a text that was typed, in the symbols of a model with this encoding, with its escapes read.

    A model of bytes has the bytes of UTF-8 for symbols, and `\xNN` is that very byte; for another it is the character
    of that number. Raises ConfigError for an escape that there is not: a backslash is typed as two.
    """
    parts, place = [], 0
    for match in _ESCAPE.finditer(text):
        parts.append(in_symbols(text[place : match.start()], encoding))
        byte, four, eight, simple = match.groups()
        if byte:
            parts.append(chr(int(byte, 16)))
        elif four or eight:
            number = int(four or eight, 16)
            if number > 0x10FFFF:
                raise ConfigError(f"{option}: {match[0]} is no character; the last is \\U0010ffff")
            parts.append(in_symbols(chr(number), encoding))
        elif simple in SIMPLE:
            parts.append(SIMPLE[simple])
        else:
            raise ConfigError(f"{option}: {match[0]} is no escape; there are {KNOWN}, and a backslash is \\\\")
        place = match.end()
    return "".join([*parts, in_symbols(text[place:], encoding)])


def range_of(text: str) -> str | None:
    """Returns the first thing in a text that other programs, such as `tr`, take for a range: `a-z`; None for none.

    Here it is three characters.
    """
    found = (match[1] for match in _RANGE.finditer(text))
    return next((each for each in found if each[0] < each[2] and _kind(each[0]) == _kind(each[2])), None)


_RANGE = re.compile(r"(?=([a-zA-Z0-9]-[a-zA-Z0-9]))")


def _kind(character: str) -> tuple[bool, bool]:
    return character.isdigit(), character.islower()


def in_symbols(text: str, encoding: str) -> str:
    """Returns a text in the model's symbols: in bytes mode, these are its bytes in UTF-8."""
    from charrnn.text.vocabulary import BYTES

    if encoding != BYTES:
        return text
    return text.encode("utf-8", "surrogateescape" if _is_from_the_shell(text) else "surrogatepass").decode("latin-1")


def _is_from_the_shell(text: str) -> bool:
    """Tells whether the lone surrogates of a text are what Python makes of arguments that are no text."""
    return all("\udc80" <= c <= "\udcff" for c in text if "\ud800" <= c <= "\udfff")
