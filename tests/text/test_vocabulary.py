"""Characters become integers and the same characters again."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn.errors import DataError
from charrnn.text.vocabulary import BYTES, Vocabulary, describe

ANY_TEXT = st.text(st.characters(codec=None), min_size=1)  # all of Unicode, lone surrogates too


@given(ANY_TEXT)
def test_any_text_comes_back_from_its_ids(text):
    vocabulary = Vocabulary.of(text)
    assert vocabulary.decode(vocabulary.encode(text)) == text


@given(ANY_TEXT)
def test_an_id_is_the_rank_of_its_character_among_the_distinct_ones(text):
    distinct = sorted(set(text))
    assert Vocabulary.of(text).encode(text).tolist() == [distinct.index(c) for c in text]


@given(st.text("abcé"), st.text("abcdeéß\n🦊", min_size=1))
def test_unknown_characters_are_those_not_in_the_text_in_order_of_appearance(known, text):
    vocabulary = Vocabulary.of(known + "a")
    expected = []
    for c in text:
        if c not in known + "a" and c not in expected:
            expected.append(c)
    assert vocabulary.unknown(text) == "".join(expected)
    if expected:
        with pytest.raises(DataError) as error:
            vocabulary.encode(text)
        for c in expected:
            assert f"U+{ord(c):04X}" in str(error.value)


def test_a_character_beyond_all_known_ones_is_named_and_not_an_index_error():
    with pytest.raises(DataError, match=r"the model never saw '🦊' \(U\+1F98A\)"):
        Vocabulary.of("abc").encode("ab🦊c")


def test_a_long_list_of_unknown_characters_is_cut():
    shown = describe("abcdefghijklm")
    assert "'j' (U+006A), and 3 more" in shown
    assert "'k'" not in shown


@pytest.mark.parametrize(
    ("size", "dtype"), [(2, "uint8"), (256, "uint8"), (257, "uint16"), (65536, "uint16"), (65537, "uint32")]
)
def test_ids_have_the_smallest_type_that_holds_them(size, dtype):
    text = "".join(map(chr, range(0x10000, 0x10000 + size)))
    ids = Vocabulary(text).encode(text)
    assert ids.dtype == dtype
    assert ids[-1] == size - 1


def test_an_empty_text_has_no_ids():
    assert Vocabulary.of("abc").encode("").shape == (0,)


@given(st.binary(min_size=1))
def test_in_bytes_mode_any_bytes_come_back(data):
    text = data.decode("latin-1")
    vocabulary = Vocabulary.of(text, BYTES)
    assert vocabulary.to_bytes(vocabulary.decode(vocabulary.encode(text))) == data
    assert len(vocabulary) == len(np.unique(np.frombuffer(data, np.uint8)))


def test_characters_are_written_as_utf_8_where_they_are_characters():
    assert Vocabulary.of("aé").to_bytes("é") == b"\xc3\xa9"
    assert Vocabulary.of("aé", BYTES).to_bytes("é") == b"\xe9"


def test_bytes_are_named_as_bytes_and_quoted_as_what_they_mean():
    vocabulary = Vocabulary.of("abc", BYTES)
    text = "a~é".encode().decode("latin-1") + "\xff\n\\"
    with pytest.raises(DataError, match=r"never saw '~' \(U\+007E\), byte 0xc3, byte 0xa9, byte 0xff, "):
        vocabulary.encode(text)
    assert vocabulary.quoted(text) == r"'a~é\xff\n\\'"
    assert vocabulary.readable(text) == "a~é\\xff\n\\"
    assert Vocabulary.of("é").describe("é") == "'é' (U+00E9)"
    assert Vocabulary.of("é").quoted("é\n") == r"'é\n'"
