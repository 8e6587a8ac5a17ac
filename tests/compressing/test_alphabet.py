"""Files as symbols: every byte of any file comes back, whatever the vocabulary."""

from __future__ import annotations

import random

import numpy as np
import pytest

from charrnn.compressing.alphabet import MOST_OWN, Alphabet, codecs_of, fitting, own_alphabet
from charrnn.text.vocabulary import BYTES, Vocabulary

VOCABULARIES = {
    "characters": Vocabulary("\nabcé"),
    "with bytes for others": Vocabulary("\nab€", fallback=True),
    "bytes": Vocabulary("ab\x80\xff", BYTES),
    "cp1252": Vocabulary("abé€", "cp1252"),
    "utf-16": Vocabulary("abé", "utf-16"),
    "shift_jis": Vocabulary("abあ", "shift_jis"),
    "iso2022_jp": Vocabulary("abあ", "iso2022_jp"),
    "utf-7": Vocabulary("ab+", "utf-7"),
}

PIECES = [
    *(
        b"a",
        b"b",
        "é".encode(),
        b"\xe9",
        b"\x80",
        b"\r\n",
        b"\xef\xbb\xbf",
        b"\xff\xfe",
        b"\xed\xa0\x80",
        b"a\0",
        b"+AGE-",
    ),
    *("あ".encode("shift_jis"), "あ".encode(), "𝄞".encode(), "あ".encode("iso2022_jp"), bytes(range(256))),
]


def files(count):
    rng = random.Random(3)
    yield b""
    for _ in range(count):
        yield b"".join(rng.choice([*PIECES, rng.randbytes(1)]) for _ in range(rng.randrange(20)))


@pytest.mark.parametrize("which", VOCABULARIES)
def test_every_byte_comes_back(which):
    vocabulary = VOCABULARIES[which]
    for data in files(150):
        alphabet, ids = fitting(vocabulary, data)
        assert Alphabet(vocabulary, alphabet.codec).join(ids) == data
        assert ids.max(initial=0) < len(alphabet) + 256
        assert alphabet.codec in codecs_of(vocabulary)


def test_an_alphabet_of_its_own_needs_no_escapes():
    for data in files(150):
        alphabet = own_alphabet(data)
        ids = alphabet.split(data)
        assert alphabet.join(ids) == data
        assert ids.max(initial=0) < max(1, len(alphabet))


def test_known_characters_are_symbols_and_others_their_bytes():
    alphabet, ids = fitting(VOCABULARIES["characters"], "bé€".encode() + b"\xff")
    assert ids.tolist() == [2, 4, *(5 + byte for byte in "€".encode()), 5 + 0xFF]
    assert len(alphabet) == 5


def test_a_byte_fallback_takes_what_is_no_text_too():
    vocabulary = VOCABULARIES["with bytes for others"]
    alphabet, ids = fitting(vocabulary, "aé".encode() + b"\xff")
    assert ids.tolist() == [1, 4 + 0xC3, 4 + 0xA9, 4 + 0xFF]
    assert ids.max() < len(alphabet)


@pytest.mark.parametrize(("data", "codec"), [("é".encode(), "utf-8"), (b"\xe9", "cp1252"), (b"ab", "utf-8")])
def test_the_encoding_is_that_in_which_least_is_escaped(data, codec):
    alphabet, ids = fitting(VOCABULARIES["cp1252"], data)
    assert alphabet.codec == codec
    assert (ids < len(alphabet)).all()


def test_too_many_characters_are_bytes():
    data = "".join(map(chr, range(0x4E00, 0x4E00 + MOST_OWN + 1))).encode()
    assert own_alphabet(data).vocabulary.encoding == BYTES
    assert np.array_equal(own_alphabet(data[:-3]).split(data[:-3]), np.arange(MOST_OWN))
