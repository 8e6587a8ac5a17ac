"""A text that is read chunk by chunk is the text that is read whole, whatever its encoding, and so are its errors."""

from __future__ import annotations

import codecs
import encodings
import hashlib
import pkgutil
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn.errors import DataError
from charrnn.text import codes as storage
from charrnn.text.encoding import WHOLE, decode, encoded_size
from charrnn.text.vocabulary import Vocabulary

UNICODE = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be", "utf-7"]
SOME = [*UNICODE, "latin-1", "cp1252", "cp037", "gb18030", "shift_jis", "euc-jp", "big5", "hz", "unicode_escape"]
CHARACTERS = "ab c\n\r\n.-~{\x00\x7fé\xa0ÿßœ€“Ωдж日本語中한ｱĊ𝄞🦊"


def names_of_all():
    """Every encoding that this Python has for texts; its name."""
    for module in sorted({module.name for module in pkgutil.iter_modules(encodings.__path__)}):
        try:
            found = codecs.lookup(module)
        except LookupError:  # of another system, or no encoding
            continue
        if found._is_text_encoding and found.name not in ("undefined", "idna"):
            yield found.name


def cut(data, size):
    """As a library reads: four bytes, then `size` at a time."""
    return [data[:4], *(data[start : start + size] for start in range(4, len(data), size))]


def characters(text):
    return "".join(text.pieces())


def writable(encoding, characters):
    """Those that the encoding can write."""
    kept = []
    for c in characters:
        try:
            kept += [c] if c.encode(encoding).decode(encoding) == c else []
        except UnicodeError:
            continue
    return "".join(kept)


@given(st.sampled_from(SOME), st.data(), st.integers(1, 9))
def test_chunks_make_the_text_that_the_whole_makes(encoding, data, size):
    alphabet = writable(encoding, CHARACTERS)
    text = data.draw(st.text(alphabet, min_size=1, max_size=60))
    encoded = text.encode(encoding)
    read = decode(cut(encoded, size), "a text", encoding)
    assert characters(read) == encoded.decode(encoding) == text
    assert (len(read), read.symbols) == (len(text), "".join(dict.fromkeys(text)))
    assert (read.size, read.sha256) == (len(encoded), hashlib.sha256(encoded).hexdigest())


@pytest.mark.parametrize("encoding", list(names_of_all()))
def test_every_encoding_can_be_read_in_chunks_and_measured_in_pieces(encoding):
    alphabet, rng = writable(encoding, CHARACTERS), np.random.default_rng(5)
    for _ in range(20):
        text = "".join(rng.choice(list(alphabet), 40))
        encoded = text.encode(encoding)
        assert characters(decode(cut(encoded, 3), "a text", encoding)) == encoded.decode(encoding)
        mark = len("".encode(encoding))
        assert encoded_size([text[:7], "", text[7:8], text[8:]], encoding) == len(encoded) - mark
    assert encoded_size([], encoding) == 0


def test_the_encodings_that_are_taken_whole_are_those_that_must_be():
    for encoding in WHOLE:
        text = "aé日b" * 9
        decoder, encoder = codecs.getincrementaldecoder(encoding)(), codecs.getincrementalencoder(encoding)()
        sizes = sum(len(encoder.encode(c)) for c in text) + len(encoder.encode("", True))
        try:
            whole = "".join(decoder.decode(bytes([b])) for b in text.encode(encoding)) + decoder.decode(b"", True)
        except UnicodeError:
            whole = ""
        assert (whole, sizes) != (text, len(text.encode(encoding)))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
@pytest.mark.parametrize("order", ["le", "be"])
def test_a_byte_order_mark_is_obeyed_and_no_character(encoding, order):
    data = "\ufeffaé\U0001f98a".encode(f"{encoding}-{order}")
    assert characters(decode(cut(data, 1), "a text", encoding)) == "aé\U0001f98a"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_without_a_byte_order_mark_the_order_is_that_of_the_machine(encoding):
    data = "aé🦊".encode(encoding)[2 if encoding == "utf-16" else 4 :]
    assert characters(decode(cut(data, 1), "a text", encoding)) == data.decode(encoding) == "aé🦊"


# --- what does not fit ---


def complaint(data, encoding, name="a text"):
    """What is wrong with the text as a whole, in the words of the error; None if nothing is."""
    try:
        data.decode(encoding)
    except UnicodeDecodeError as error:
        place = len(data) - len(error.object) + error.start  # utf-8-sig counts from behind its mark
        return (
            f"{name} is not {encoding}: byte {data[place]:#04x} at offset {place} (line {data[:place].count(10) + 1})"
        )
    return None


def attempt(chunks, encoding):
    """What `decode` says against it; None if it reads the text, which is then that of the whole."""
    try:
        read = decode(chunks, "a text", encoding)
    except DataError as error:
        message = str(error)
    else:
        assert characters(read) == b"".join(chunks).decode(encoding)
        return None
    known = ("U+D", "empty", "or read bytes with --set data.encoding=bytes")
    assert any(part in message for part in known)
    return message.partition("; ")[0]


@given(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252", "gb18030", "shift_jis"]), st.data())
def test_a_byte_that_does_not_fit_has_the_same_place_however_the_text_is_cut(encoding, data):
    text = data.draw(st.text(writable(encoding, CHARACTERS), min_size=1, max_size=40))
    encoded = bytearray(text.encode(encoding))
    for place in data.draw(st.lists(st.integers(0, len(encoded) - 1), max_size=2)):
        encoded[place] = data.draw(st.integers(0, 255))
    encoded = bytes(encoded[: data.draw(st.integers(1, len(encoded)))])
    chunks = cut(encoded, data.draw(st.integers(1, 9)))
    said = attempt(chunks, encoding)
    if said and re.search("surrogate|is empty", said):
        return
    assert said == complaint(encoded, encoding)


def test_offset_and_line_are_those_of_the_text_and_not_of_the_chunk():
    data = b"0123456789\n" * 1000 + b"abc\xff"
    with pytest.raises(DataError, match=r"byte 0xff at offset 11003 \(line 1001\)"):
        decode(cut(data, 100), "a text", "utf-8")


def test_a_character_that_the_end_of_the_text_cuts_is_located_where_it_begins():
    data = ("a\n" * 50 + "€").encode()[:-1]
    for size in (1, 2, 3, 50, 99, 200):
        with pytest.raises(DataError, match=r"byte 0xe2 at offset 100 \(line 51\)"):
            decode(cut(data, size), "a text", "utf-8")


@pytest.mark.parametrize("data", [b"", b"\xef\xbb\xbf"])
def test_a_text_without_characters_is_empty(data):
    with pytest.raises(DataError, match="a text is empty"):
        decode([data], "a text", "utf-8-sig")


@pytest.mark.parametrize("size", [1, 8, 1000])
def test_the_line_of_a_lone_surrogate_is_that_of_the_text(size):
    data = rb"line\n" * 30 + rb"li\ud83d\n\udc00ne"
    with pytest.raises(DataError, match=r"a text has the lone surrogate U\+D83D in line 31, which"):
        decode(cut(data, size), "a text", "unicode_escape")


# --- integers ---


@pytest.mark.parametrize("in_memory", [1 << 24, 0])
@pytest.mark.parametrize(
    ("count", "dtype"), [(1, "uint8"), (256, "uint8"), (257, "uint16"), (65536, "uint16"), (65537, "uint32")]
)
def test_codes_have_the_smallest_type_that_holds_them_and_grow_with_a_symbol(count, dtype, in_memory, monkeypatch):
    monkeypatch.setattr(storage, "IN_MEMORY", in_memory)
    distinct = "".join(map(chr, range(0x10000 + count - 1, 0x10000 - 1, -1)))
    text = distinct[:200] * 3 + distinct + distinct[-5:] + distinct[:5]
    read = decode(cut(text.encode(), 1000), "a text", "utf-8")
    assert read.codes.dtype == dtype
    assert read.symbols == distinct
    assert characters(read) == text


@pytest.mark.parametrize("count", [254, 255, 256, 257])
def test_a_letter_that_appears_after_many_other_symbols_is_still_itself(count):
    text = "".join(map(chr, range(0x4E00, 0x4E00 + count))) + "abc" * 400
    read = decode(cut(text.encode(), 300), "a text", "utf-8")
    assert (characters(read), read.symbols[count:]) == (text, "abc")


@given(st.text(st.characters(codec="utf-8"), min_size=1), st.integers(1, 9))
def test_ids_are_those_that_the_vocabulary_gives_to_the_whole_text(text, size):
    read = decode(cut(text.encode(), size), "a text", "utf-8")
    vocabulary = Vocabulary.of(read.symbols)
    assert vocabulary.symbols == "".join(sorted(set(text)))
    ids, expected = read.ids(vocabulary), vocabulary.encode(text)
    assert len(ids) == len(expected)
    found = ids.take(np.arange(len(text))[:, None], mode="clip")
    np.testing.assert_array_equal(found[:, 0], expected)
    assert found.dtype == expected.dtype


@given(st.binary(min_size=1, max_size=600), st.integers(1, 300))
def test_any_bytes_are_the_symbols_of_the_same_number(data, size):
    read = decode(cut(data, size), "a text", "bytes")
    assert characters(read).encode("latin-1") == data


def test_all_256_bytes_may_be_symbols_and_fit_in_a_byte():
    data = bytes(range(256)) * 5 + bytes(reversed(range(256)))
    read = decode(cut(data, 100), "a text", "bytes")
    assert read.codes.dtype == "uint8"
    assert characters(read).encode("latin-1") == data


def test_characters_that_a_vocabulary_lacks_are_named_in_order_of_appearance():
    with pytest.raises(DataError) as error:
        decode([b"cabz", b"dxd" * 9], "a text", "utf-8").ids(Vocabulary("abc"))
    assert str(error.value) == "the model never saw 'z' (U+007A), 'd' (U+0064), 'x' (U+0078)"


@given(st.text(max_size=80), st.integers(0, 80), st.integers(0, 80))
def test_a_part_of_a_text_comes_in_pieces(text, start, stop):
    read = decode([f"x{text}".encode("utf-8", "replace")], "a text", "utf-8")
    expected = characters(read)
    start, stop = sorted((min(start, len(expected)), min(stop, len(expected))))
    assert "".join(read.pieces(start, stop)) == expected[start:stop]
