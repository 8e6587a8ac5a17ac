"""Characters in bytes: how each is spelled, and what may follow the bytes of one that is not whole."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from charrnn.text.utf8 import MOST_BYTES, ByteRules, spell

CHARACTERS = [chr(point) for point in range(0x110000) if not 0xD800 <= point < 0xE000]


def test_every_character_there_is_has_the_bytes_that_python_gives_it():
    spelled, sizes = spell(np.array([ord(c) for c in CHARACTERS]))
    flat = spelled[np.arange(MOST_BYTES) < sizes[:, None]].tobytes()
    assert flat == "".join(CHARACTERS).encode()


def whole(spelling):
    """Every character that can be written, by following all that is allowed."""
    found, begun = [], [b""]
    while begun:
        prefix = begun.pop()
        for byte in np.flatnonzero(spelling.allowed(prefix)).tolist():
            longer = prefix + bytes([byte])
            try:
                found.append(longer.decode())
            except UnicodeDecodeError:
                begun.append(longer)
    return found


def test_all_characters_can_be_written_but_those_with_symbols_of_their_own():
    taken = "aé漢🦊\U0010ffff"
    found = whole(ByteRules(taken))
    assert len(found) == len(CHARACTERS) - len(taken)
    assert set(found) == set(CHARACTERS) - set(taken)


def test_bytes_that_lead_to_taken_characters_alone_are_not_begun():
    greek = "".join(chr(point) for point in range(0x380, 0x3C0))  # all that begin with 0xCE
    spelling = ByteRules(greek)
    assert not spelling.allowed(b"")[0xCE]
    assert spelling.allowed(b"")[0xCF]
    assert ByteRules(greek[1:]).allowed(b"")[0xCE]


@given(st.binary(min_size=1, max_size=3))
def test_what_may_follow_is_what_python_could_still_decode(begun):
    allowed = ByteRules("").allowed(begun)

    def leads_somewhere(prefix):
        ends = [b"", b"\x80", b"\xbf", b"\x80\x80", b"\xbf\xbf"]
        for end in ends:
            try:
                if len((prefix + end).decode()) == 1:
                    return True
            except UnicodeDecodeError:
                continue
        return False

    assert allowed.tolist() == [leads_somewhere(begun + bytes([b])) for b in range(256)]
