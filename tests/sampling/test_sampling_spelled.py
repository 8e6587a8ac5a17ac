"""Sampling where rare characters are spelled in bytes: copies, states, likelihoods and openings count characters."""

from __future__ import annotations

import pytest
from interrupting import config

from charrnn.cli.common import library
from charrnn.cli.writing import _longest_copy
from charrnn.sampling import Filters, Request, written
from charrnn.sampling.sources import training_text
from charrnn.sampling.states import load
from charrnn.tasks.language_model import LanguageModel
from charrnn.training.preparing import prepare

LINES = "".join(f"ab {chr(0x4E00 + k)}é c{chr(0x3B1 + k % 20)}\n" for k in range(200))


@pytest.fixture
def run(tmp_path):
    """A run that has learnt nothing of a text in which most characters stand once."""
    path = tmp_path / "text.txt"
    path.write_text(LINES, "utf-8")
    settings = config(data__max_vocab=6)
    return prepare(settings, LanguageModel.read(library(), [str(path)], settings.data)).run


def test_openings_are_ids_of_the_run_and_end_with_a_line(run):
    symbols = run.task.vocabulary.symbols
    assert run.task.vocabulary.fallback
    assert len(run.openings) >= 5
    for ids in run.openings:
        assert symbols[ids[-1]] == "\n"
        assert run.task.vocabulary.decode(ids) in LINES


def test_a_length_and_a_mean_count_characters(run):
    for one in written(run, Request(length=30, seed=1), 10):
        assert len(one.text) == 30
        assert one.mean_log_probability == pytest.approx(one.log_probability / 30)


@pytest.mark.parametrize("n", [1, 2, 4])
def test_no_more_characters_are_copied_than_is_allowed(run, n):
    texts = [one.text for one in written(run, Request(length=60, seed=1, max_copy=n), 10)]
    assert not any(text[k : k + n + 1] in LINES for text in texts for k in range(len(text) - n))


def test_the_place_of_a_copy_is_counted_in_characters(run):
    training = training_text(run)
    copied = LINES[500:520]
    told = _longest_copy(training, run.task, ["x", f"zz{copied}zz"], "text.txt")
    line = 1 + LINES[:500].count("\n")
    assert told == f"longest copy of text 2: 20 characters, {copied!r}; in text.txt: line {line}, character 501"


def test_texts_that_end_at_unlike_times_are_gone_on_with_as_if_alone(run, tmp_path):
    kept = []
    first = list(written(run, Request(("a", "ab "), 15, seed=3), 3, keep=kept.append))
    kept[0].save(tmp_path / "s.npz")
    state = load(tmp_path / "s.npz", run.model, run.weights, run.model.num_outputs)
    greedy = Filters(temperature=0)
    for before, after in zip(first, written(run, Request(length=20, filters=greedy), state=state), strict=True):
        (alone,) = written(run, Request((before.prompt + before.text,), 20, filters=greedy))
        assert (len(before.text), after.text) == (15, alone.text)
