"""What is seen of a text before it is learnt."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from charrnn.planning import looking
from charrnn.planning.looking import Looked, look
from charrnn.text.encoding import decode
from charrnn.text.pairs import Pairs


def text_of(characters, encoding="utf-8"):
    return decode([characters.encode(encoding)], "a text", encoding)


def test_characters_are_counted():
    looked = look(text_of("abbccc" + "d" * 5), "utf-8")
    assert looked.counts == {"a": 1, "b": 2, "c": 3, "d": 5}
    assert (looked.characters, looked.looked_at, looked.rare, looked.once) == (11, 11, 3, 1)


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_line_ends_are_counted_by_their_kind_wherever_a_piece_ends(size):
    text = "a\r\nb\n\nc\rd\r\n\r\r\ne\r"
    found, before = Looked(len(text)), ""
    for start in range(0, len(text), size):
        looking._count_line_ends(found.line_ends, before, text[start : start + size])
        before = text[start : start + size][-1:]
    assert found.line_ends == {"LF": 2, "CRLF": 3, "CR": 3}


def test_characters_that_hardly_belong_in_a_text_are_named():
    looked = look(text_of("plain\ttext\r\n\x07\x07\ue000\ufffd\ufffd\ufffd\u200b\u200d"), "utf-8")
    assert [(c.symbol, c.what, c.count) for c in looked.odd] == [
        ("\ufffd", "replacement", 3),
        ("\x07", "control", 2),
        ("\u200b", "invisible", 1),
        ("\ue000", "private use", 1),
    ]


def test_no_byte_is_odd():
    assert look(text_of("\x07\x81", "latin-1"), "bytes").odd == []


def test_of_a_long_text_parts_are_counted_and_it_is_said(monkeypatch):
    monkeypatch.setattr(looking, "MOST", 40)
    monkeypatch.setattr(looking, "PART", 10)
    looked = look(text_of("a" * 100 + "b" * 100), "utf-8")
    assert (looked.characters, looked.looked_at) == (200, 40)
    assert looked.counts == {"a": 20, "b": 20}


def test_both_columns_of_pairs_are_counted_and_what_is_validated_on():
    others = Pairs("others", 1, "", ["z"], ["zz"])
    looked = look(Pairs("pairs", 1, "", ["x", "y"], ["aa", "a"], validation=others), "utf-8")
    assert looked.counts == {"x": 1, "y": 1, "a": 3, "z": 3}


def test_of_equal_inputs_all_but_one_are_there_before():
    found = looking.repeats_of(Pairs("pairs", 1, "", [], []), None, ["a", "a", "b", "a"])
    assert (found.share, found.of_validation) == (0.5, None)


def test_what_leaks_into_the_validation_part_is_told(begin):
    rng = np.random.default_rng(0)
    words = "".join(rng.choice(list("abcdefghij "), size=4000))
    text = text_of(words + words[:300])
    from charrnn.training.preparing import split_of

    trainer = begin()
    split = split_of(type(trainer.run.task).of(text, trainer.run.config.data, None), trainer.run.config, text)
    found = looking.repeats_of(text, split, None)
    assert found.share == pytest.approx(300 / 4300, abs=128 / 4300)
    assert found.of_validation < 0.6  # the test part, the last 215 characters, has the rest
    assert found.of_validation > 0.1


def test_what_leaks_is_found_where_rare_characters_are_spelled(begin):
    from charrnn.training.preparing import split_of

    rng = np.random.default_rng(0)
    letters = list("abcdefghij ")
    rare, plain, tail = (
        "".join(rng.choice(some, size=1000)) for some in (list("\u4e00\u4e01\u4e02"), letters, letters)
    )
    text = text_of(rare + plain + plain + tail)  # half of them, of which a quarter is spelled, are learnt from
    run = begin().run
    data = dataclasses.replace(run.config.data, min_count=2000, split=(0.5, 0.25, 0.25))
    config = dataclasses.replace(run.config, data=data)
    split = split_of(type(run.task).of(text, data, None), config, text)
    assert looking.repeats_of(text, split, None).of_validation == pytest.approx(1, abs=0.15)
