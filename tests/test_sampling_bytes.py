"""Sampling where rare characters are spelled in bytes: valid text alone, counted and shown in whole characters."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from charrnn.config.resolve import Setting, resolve
from charrnn.sampling import Request, RequestError, Writing, sample, sample_many
from charrnn.text.documents import Documents
from charrnn.text.encoding import decode
from charrnn.training.preparing import prepare

SMALL = {"model.hidden_size": 6, "train.batch_size": 2, "train.seq_length": 8, "train.seed": 1, "train.threads": 1}
TEXT = "aé漢 b漢\n" * 40 + "🦊ßx" * 3


def begin(examples, **changes):
    settings = SMALL | {"train.iterations": 1, "data.split": [1, 0, 0]} | changes
    run = prepare(resolve([Setting(path, value, "a test") for path, value in settings.items()])[0], examples).run
    run.params.vector[...] = np.random.default_rng(5).normal(0, 0.3, run.params.vector.size)
    return run


@pytest.fixture(scope="module")
def run():
    """A run that has not learnt anything: all that may be drawn is, bytes most of all."""
    return begin(decode([TEXT.encode()], "a text", "utf-8"), **{"data.max_vocab": 5})


@pytest.fixture(scope="module")
def names():
    documents = Documents("names", 1, "a sum", ["aé", "b漢a", "🦊"] * 9)
    return begin(documents, **{"data.documents": "lines", "data.min_count": 5})


@pytest.mark.parametrize("options", [{}, {"temperature": 0}, {"top_k": 3}, {"top_p": 0.5}, {"min_p": 0.2}])
def test_what_is_written_is_text_of_so_many_characters(run, options):
    text = "".join(sample(run, "a漢Ω", 60, seed=3, **options))
    assert len(text) == 60
    text.encode()


def test_only_whole_characters_are_shown_and_no_stand_in_for_half_of_one(run):
    pieces = list(sample(run, length=200, seed=1))
    assert max(map(len, pieces)) == 1
    text = "".join(pieces)
    assert "\ufffd" not in text
    assert sum(len(c.encode()) > 1 and c not in run.task.vocabulary.symbols for c in text) > 20


def test_what_was_drawn_is_what_is_read_again(run, monkeypatch):
    writing = Writing(run, Request(length=50, seed=2), samples=3)
    drawn = [[] for _ in range(3)]
    draw = type(writing.generator).__next__

    def noted(self):
        ids = draw(self)
        for row, text, i in zip(drawn, writing.texts, ids.tolist(), strict=True):
            if not text.ended:
                row.append(i)
        return ids

    monkeypatch.setattr(type(writing.generator), "__next__", noted)
    texts = ["".join(grown) for grown in zip(*writing.pieces(), strict=True)]
    assert [len(text) for text in texts] == [50] * 3
    assert [run.task.vocabulary.encode(text).tolist() for text in texts] == drawn
    assert len({len(row) for row in drawn}) > 1  # they end at different draws


def test_what_a_text_cost_is_what_its_symbols_cost(run):
    writing = Writing(run, Request(("b",), 20, 4), scored=True)
    text = "".join(grown for (grown,) in writing.pieces())
    from charrnn.nn.stepper import Stepper

    stepper, nats = Stepper(run.model, run.weights, 1), 0.0
    for before, after in itertools.pairwise(run.task.vocabulary.encode("b" + text)):
        logits = stepper.step(np.array([before]))[0].astype(float)
        nats += np.log(np.exp(logits).sum()) - logits[after]
    assert writing.texts[0].nats == pytest.approx(nats, rel=1e-5)


def test_a_text_ends_before_a_stop_text_that_is_spelled(run):
    whole = "".join(sample(run, length=150, seed=6))
    stop = next(c for c in whole[20:] if c not in run.task.vocabulary.symbols and len(c.encode()) > 1)
    assert "".join(sample(run, length=150, seed=6, stop=stop)) == whole[: whole.index(stop)]


def test_characters_that_are_spelled_can_be_banned_and_allowed(run):
    banned = "".join(chr(point) for point in range(0x80) if chr(point) not in "a ")
    text = "".join(sample(run, length=80, seed=7, ban=banned))
    assert not set(text) & set(banned)
    some = "".join(sample(run, length=80, seed=7, allow="aΩ🦊漢"))
    assert set(some) == set("aΩ🦊漢")
    with pytest.raises(RequestError, match="never appear"):
        sample(run, stop="Ω", allow="ab")
    with pytest.raises(RequestError, match="never appear"):
        sample(run, stop="Ω", ban="Ω")


def test_what_the_encoding_has_not_is_not_written():
    text = decode(["aéb c\n".encode("latin-1") * 40], "a text", "latin-1")
    run = begin(text, **{"data.max_vocab": 2, "data.encoding": "latin-1"})
    written = "".join(sample(run, length=200, seed=1))
    written.encode("latin-1")
    assert any(c > "\x7f" for c in written)


def test_no_characters_at_all_may_be_asked_for(run):
    assert "".join(sample(run, length=0, seed=1)) == ""


def test_a_document_ends_between_characters_and_is_a_line(names):
    texts = ["".join(grown) for grown in zip(*sample_many(names, Request(length=400, seed=3), 30), strict=True)]
    assert any(len(text) < 400 for text in texts)
    assert all(texts)
    assert not any("\n" in text for text in texts)
    "".join(texts).encode()


def test_a_run_without_a_symbol_for_any_character_writes(tmp_path):
    run = begin(decode([TEXT.encode()], "a text", "utf-8"), **{"data.max_vocab": 0})
    assert len("".join(sample(run, length=30, seed=1))) == 30


@pytest.mark.parametrize(("option", "text"), [("stop", "a\n"), ("allow", "a\n"), ("ban", "\n")])
def test_no_line_end_can_be_asked_of_a_document_that_is_a_line(names, option, text):
    with pytest.raises(RequestError, match=rf"^{option} .*cannot write:? '\\n'"):
        sample(names, **{option: text})


@pytest.mark.parametrize(("option", "text"), [("stop", "a€"), ("allow", "€"), ("ban", "€")])
def test_no_character_can_be_asked_for_that_the_encoding_has_not(option, text):
    latin = decode(["aéb c\n".encode("latin-1") * 40], "a text", "latin-1")
    run = begin(latin, **{"data.max_vocab": 2, "data.encoding": "latin-1"})
    with pytest.raises(RequestError, match=rf"^{option} .*cannot write:? '€'"):
        sample(run, **{option: text})
    assert set("".join(sample(run, length=20, seed=1, allow="ÿ"))) == {"ÿ"}
