"""A vocabulary with a byte fallback, and texts whose rare characters are spelled in bytes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn.errors import DataError
from charrnn.text import codes, spelled
from charrnn.text.encoding import decode
from charrnn.text.items import encode_items
from charrnn.text.spelled import SpelledIds, TextIds
from charrnn.text.speller import Joiner, WholeCharacters
from charrnn.text.streams import side_by_side, split_tail
from charrnn.text.vocabulary import BYTES, Vocabulary

TEXT = "aß漢🦊b漢\n" * 7 + "zé"
SOME = Vocabulary("\nab", fallback=True)


def by_hand(vocabulary, text):
    """The ids of a text, character by character."""
    own = len(vocabulary.symbols)
    return [
        i
        for c in text
        for i in ([vocabulary.symbols.index(c)] if c in vocabulary.symbols else [own + byte for byte in c.encode()])
    ]


@given(st.text(max_size=30), st.sets(st.characters(exclude_categories=["Cs"]), max_size=5))
def test_any_text_comes_back_from_its_characters_and_bytes(text, symbols):
    vocabulary = Vocabulary("".join(sorted(symbols)), fallback=True)
    ids = vocabulary.encode(text)
    assert ids.tolist() == by_hand(vocabulary, text)
    assert ids.max(initial=0) < len(vocabulary) == len(symbols) + 256
    assert vocabulary.decode(ids) == text
    joiner = Joiner(vocabulary)
    assert "".join(joiner.push(int(i)) for i in ids) == text
    assert vocabulary.unknown(text) == ""


def test_a_lone_surrogate_is_no_character_in_bytes_either():
    assert SOME.unknown("a\ud800b\udfff漢") == "\ud800\udfff"
    with pytest.raises(DataError, match=r"U\+D800"):
        SOME.encode("a\ud800")


def test_half_a_character_is_left_out_of_a_text():
    ids = SOME.encode("漢a漢")
    assert SOME.decode(ids[1:-1]) == "a"


@pytest.mark.parametrize(
    ("most", "least", "expected"),
    [(None, 1, "abcd"), (2, None, "ad"), (3, None, "abd"), (None, 2, "abd"), (1, 3, "d"), (0, None, ""), (9, 4, "")],
)
def test_the_most_frequent_characters_have_symbols_and_equals_by_code_point(most, least, expected):
    vocabulary = Vocabulary.of_frequent("dbace", np.array([3, 2, 2, 1, 0]), "utf-8", most, least)
    assert (vocabulary.symbols, vocabulary.fallback) == (expected, True)


@pytest.mark.parametrize(
    "meta",
    [
        {"symbols": "ab", "encoding": "utf-8", "fallback": 1},
        {"symbols": "ab", "encoding": "utf-8", "fallback": None},
        {"symbols": "ba", "encoding": "utf-8", "fallback": True},
        {"symbols": "", "encoding": "utf-8", "fallback": False},
        {"symbols": "ab", "encoding": BYTES, "fallback": True},
    ],
)
def test_a_checkpoint_cannot_tell_nonsense_of_a_vocabulary(meta):
    with pytest.raises(ValueError, match="vocabulary"):
        Vocabulary.from_meta(meta, meta["encoding"])


def test_a_checkpoint_without_a_word_of_it_has_no_fallback():
    assert not Vocabulary.from_meta({"symbols": "ab", "encoding": "utf-8"}, "utf-8").fallback
    assert len(Vocabulary.from_meta({"symbols": "", "encoding": "utf-8", "fallback": True}, "utf-8")) == 256


@pytest.fixture(params=[1 << 20, 3, 1], ids=["one_block", "small_blocks", "tiny_blocks"])
def read(request, monkeypatch):
    """Reads a text, in blocks of so many characters."""
    monkeypatch.setattr(codes, "BLOCK", request.param)
    monkeypatch.setattr(spelled, "BLOCK", request.param)
    return lambda text: decode([text.encode()], "a text", "utf-8")


@pytest.mark.parametrize("in_memory", [1 << 24, 0])
def test_the_ids_of_a_text_are_those_of_its_characters(read, monkeypatch, in_memory):
    monkeypatch.setattr(codes, "IN_MEMORY", in_memory)
    ids = read(TEXT).ids(SOME)
    expected = SOME.encode(TEXT)
    assert isinstance(ids, SpelledIds)
    assert (len(ids), ids.characters) == (len(expected), len(TEXT))
    index = np.arange(len(expected) + 2)[:, None]
    assert ids.take(index, mode="clip")[:, 0].tolist() == [*expected.tolist(), *[expected[-1]] * 2]


def test_the_place_of_each_character_and_the_characters_before_each_place(read):
    ids = read(TEXT).ids(SOME)
    places = [len(SOME.encode(TEXT[:n])) for n in range(len(TEXT) + 1)]
    assert [ids.place(n) for n in range(len(TEXT) + 1)] == places
    assert ids.place(len(TEXT) + 5) == places[-1]
    expected = [sum(place < p for place in places[:-1]) for p in range(places[-1] + 1)]
    assert [ids.begun(p) for p in range(places[-1] + 1)] == expected
    assert ids.sizes(2, 9).tolist() == np.diff(places)[2:9].tolist()


def test_a_text_with_nothing_rare_costs_nothing_more():
    text = decode([b"abba\n" * 9], "a text", "utf-8")
    assert isinstance(text.ids(SOME), TextIds)
    assert text.ids(SOME).take(np.arange(5)[:, None], mode="clip").ravel().tolist() == [1, 2, 2, 1, 0]


def test_counts_are_of_the_characters_asked_for(read):
    text = read(TEXT)
    assert dict(zip(text.symbols, text.counts(1, 9).tolist(), strict=True)) == {
        c: TEXT[1:9].count(c) for c in text.symbols
    }


def test_items_are_cut_between_their_characters():
    texts = ["漢a", "", "bß", "🦊"]
    assert [ids.tolist() for ids in encode_items(SOME, texts)] == [SOME.encode(text).tolist() for text in texts]


def predicted(streams):
    """The symbols that are predicted, in order."""
    _, y = streams.window(0, int(streams.lengths.max(initial=0)))
    return [symbol for b, n in enumerate(streams.lengths) for symbol in y[:n, b].tolist()]


def test_a_text_is_split_at_the_same_characters_however_they_are_written(read):
    text = TEXT * 20
    ids = read(text).ids(SOME)
    train, validation, test = split_tail(ids, (0.6, 0.3, 0.1), 2, 3)
    n_validation, n_test = int(len(text) * 0.3), int(len(text) * 0.1)
    n_train = len(text) - n_validation - n_test
    for part, characters in ((validation, text[n_train:-n_test]), (test, text[-n_test:])):
        assert predicted(part) == SOME.encode(characters[1:]).tolist()
        assert part.characters == len(characters) - 1
        assert "".join(text[a:b] for a, b in part.spans()) == characters[1:]
    assert train.first[-1] + train.lengths[-1] < len(SOME.encode(text[:n_train]))


def test_many_streams_share_the_symbols_and_count_each_character_once():
    text = "漢aß" * 3000
    streams = side_by_side(decode([text.encode()], "a text", "utf-8").ids(SOME), 1, 8000)
    assert streams.batch_size > 10
    assert predicted(streams) == SOME.encode(text[2:8000]).tolist()
    assert streams.characters == 8000 - 2


def test_only_text_can_be_written_and_what_is_read_again_is_what_was_drawn(rng):
    vocabulary = Vocabulary("a\u03b1漢", fallback=True)
    rows, end = 40, len(vocabulary)
    whole, joiners = WholeCharacters(vocabulary, rows), [Joiner(vocabulary) for _ in range(rows)]
    drawn, texts = [[] for _ in range(rows)], [""] * rows
    for _ in range(200):
        logits = rng.standard_normal((rows, end + 1)) * 3
        inside = whole.open()
        whole.forbid(logits)
        ids = logits.argmax(axis=1)
        assert np.isfinite(logits.max(axis=1)).all()
        whole.drawn(ids)
        for b, i in enumerate(ids.tolist()):
            assert not (inside is not None and inside[b] and i in (0, 1, 2, end))
            if i != end:
                drawn[b].append(i)
                texts[b] += joiners[b].push(i)
    still = whole.open()
    for b in range(rows):
        ids = vocabulary.encode(texts[b]).tolist()
        assert ids == drawn[b][: len(ids)]
        assert len(drawn[b]) - len(ids) < 4
        assert (len(drawn[b]) > len(ids)) == (still is not None and bool(still[b]))
        assert "\ufffd" not in texts[b] or b"\xef\xbf\xbd" in texts[b].encode()
