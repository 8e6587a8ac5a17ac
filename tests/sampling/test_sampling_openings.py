"""What is read before a text that follows nothing: places of the training text at which lines begin."""

from __future__ import annotations

import numpy as np
import pytest
from interrupting import config

from charrnn.runs import checkpoint as checkpoints
from charrnn.sampling import Request, sample_many, write
from charrnn.sampling.openings import first
from charrnn.text.encoding import decode
from charrnn.text.openings import CONTEXT, COUNT, openings
from charrnn.text.streams import split_columns, split_tail
from charrnn.text.vocabulary import Vocabulary
from charrnn.training.preparing import prepare


def found(text, split=split_tail, fractions=(0.8, 0.1, 0.1), batch_size=4):
    """The openings of a text, as texts, and the part that they may be of."""
    vocabulary = Vocabulary.of(text)
    ids = vocabulary.encode(text)
    streams = split(ids, fractions, batch_size, 8).train
    return [vocabulary.decode(some) for some in openings(streams, vocabulary.symbols)], streams


def lines(end, count=900):
    return "".join(f"line {k * k % 997} of {count}{end}" for k in range(count))


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\n\n"])
def test_each_ends_with_the_line_end_of_the_text(end):
    text = lines(end)
    some, _ = found(text)
    assert len(some) == COUNT
    assert {len(one) for one in some} == {CONTEXT}
    for one in some:
        assert one in text
        assert one.endswith(end)


@pytest.mark.parametrize(("common", "rare"), [("\n", "\r"), ("\r", "\n")])
def test_the_commonest_line_end_counts(common, rare):
    some, _ = found(lines(common, 900).replace("line 4 ", f"line 4{rare}"))
    assert all(one.endswith(common) for one in some)


@pytest.mark.parametrize(("text", "end"), [("word " * 800, " "), ("abcab" * 800, "abcab"[-1])])
def test_without_lines_words_begin_and_without_words_it_is_anywhere(text, end):
    some, _ = found(text)
    assert some
    assert all(one in text and CONTEXT - 5 < len(one) <= CONTEXT for one in some)
    if end == " ":
        assert all(one.endswith(" ") for one in some)


@pytest.mark.parametrize("split", [split_tail, split_columns])
def test_they_are_of_the_training_part_alone_and_spread_over_it(split):
    text = "".join(chr(0x4E00 + k) + ("\n" if k % 10 == 9 else "") for k in range(8000))  # each character stands once
    some, streams = found(text, split)
    stretches = [range(int(f), int(f + n + 1)) for f, n in zip(streams.first, streams.lengths, strict=True)]
    ends = []
    for one in some:
        start = text.index(one)
        ends.append(start + len(one))
        assert any(start in s and ends[-1] - 1 in s for s in stretches)
    assert len(some) == COUNT
    assert np.diff(sorted(ends)).max() < 3 * len(text) / COUNT


def test_a_short_text_has_short_ones_and_none_twice():
    some, _ = found("ab\ncd\nef\n" * 12, batch_size=2)
    assert len(set(some)) == len(some) > 0
    assert all(one.endswith("\n") for one in some)


TEXT = decode([lines("\n").encode()], "a text", "utf-8")


@pytest.fixture(scope="module")
def run():
    return prepare(config(), TEXT).run


def test_a_run_keeps_them_from_its_beginning_and_in_its_file(run, tmp_path):
    assert len(run.openings) == COUNT
    assert {ids[-1] for ids in run.openings} == {run.task.vocabulary.symbols.index("\n")}
    checkpoints.save(run, tmp_path / "c.npz")
    assert checkpoints.load(tmp_path / "c.npz").openings == run.openings


def test_each_sample_without_a_prompt_reads_another_by_the_seed(run):
    def read(seed):
        return [tuple(ids) for ids in first(run.task, run.openings, [""] * COUNT, np.random.default_rng(seed))]

    assert sorted(read(1)) == sorted(map(tuple, run.openings))
    assert read(1) == read(1) != read(2)
    assert len(first(run.task, run.openings, [""] * 40, np.random.default_rng(1))) == 40


def test_a_prompt_is_read_alone(run):
    rng = np.random.default_rng(1)
    read = first(run.task, run.openings, ["line", "", "of"], rng)
    assert [len(ids) for ids in read] == [4, CONTEXT, 2]


def test_it_is_not_shown_and_what_is_drawn_follows_it(run):
    ids = run.openings[0]
    (text,) = zip(*sample_many(run, Request(length=30, filters=request_filters())), strict=True)
    prompt = run.task.vocabulary.decode(ids)
    assert "".join(text) == write(run, prompt, 30, temperature=0)[0].text
    assert len("".join(text)) == 30


def request_filters():
    from charrnn.sampling import Filters

    return Filters(temperature=0)


def test_temperature_0_leaves_nothing_to_chance(run):
    texts = [one.text for one in write(run, length=30, samples=3, temperature=0)]
    assert len({*texts, write(run, length=30, temperature=0, seed=9)[0].text}) == 1


def test_a_run_without_them_begins_with_a_line_break(run):
    read = first(run.task, [], ["", ""], np.random.default_rng(1))
    assert [run.task.vocabulary.decode(ids) for ids in read] == ["\n", "\n"]
