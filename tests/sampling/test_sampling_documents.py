"""Sampling from models of documents: it begins where these begin, ends where the model ends, shows no boundary."""

from __future__ import annotations

import numpy as np
import pytest
from interrupting import config

from charrnn.errors import ConfigError
from charrnn.nn.cells import CELLS
from charrnn.runs.run import Corpus, Run
from charrnn.sampling import Filters, Request, draw, generating, sample, sample_many
from charrnn.tasks.documents import DocumentModel
from charrnn.tasks.generate import Generate
from charrnn.tasks.transduce import Transduce
from charrnn.text.vocabulary import Vocabulary

VOCABULARY = Vocabulary("abcdefgh")
END = len(VOCABULARY)


def run_of(labels=False, cell="lstm", **changes):
    """A run with random weights, of documents with or without labels."""
    task = Generate(VOCABULARY, ("one", "other"), (1, 2)) if labels else DocumentModel(VOCABULARY)
    more = {"task__name": "generate"} if labels else {"data__documents": "lines"}
    more |= {"model__num_layers": 2, "model__hidden_size": 7, "model__initial_state": "learned", "model__dropout": 0.5}
    settings = config(train__dtype="float64", model__cell=cell, **(more | changes))
    run = Run.new(settings, task, Corpus("x", 1, ""))
    run.params.vector[...] = np.random.default_rng(5).standard_normal(run.params.vector.size) * 0.7
    return run


def written(run, samples=50, prompt="", **wanted):
    request = Request((prompt,), **({"seed": 2, "length": 40} | wanted))
    grown = sample_many(run, request, samples)
    return ["".join(parts) for parts in zip(*grown, strict=True)]


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("labels", [False, True])
@pytest.mark.parametrize("prompt", ["", "bad"])
def test_it_draws_from_what_the_training_graph_expects(cell, labels, prompt, monkeypatch):
    run, rows = run_of(labels, cell), 20
    drawn_from, drawn = [], []

    def noted(p, rng):
        drawn_from.append(p.copy())
        drawn.append(draw(p, rng))
        return drawn[-1]

    monkeypatch.setattr(generating, "draw", noted)
    list(sample_many(run, Request((prompt,), length=12, seed=2, label="other" if labels else None), rows))
    read = [END, *VOCABULARY.encode(prompt)]
    ids = np.concatenate([np.tile(np.array(read)[:, None], rows), np.array(drawn)])
    told = np.ones(rows, int) if labels else None
    zero = run.model.zero_state(rows, np.float64)
    logits, _ = run.model.forward(run.params, ids, zero, np.ones(rows, bool), labels=told)
    logits = logits[len(read) - 1 : -1]
    if not prompt:
        logits[0, :, END] = -np.inf  # no document is empty
    p = np.exp(logits - logits.max(-1, keepdims=True))
    np.testing.assert_allclose(np.array(drawn_from), p / p.sum(-1, keepdims=True), rtol=1e-9, atol=1e-12)


def test_texts_end_each_by_itself_and_show_no_boundary():
    run = run_of()
    texts = written(run)
    assert len({len(text) for text in texts}) > 5
    assert set("".join(texts)) <= set(VOCABULARY.symbols)
    assert all(texts)
    assert max(map(len, texts)) <= 40


def test_none_is_empty_even_if_the_model_would_end_at_once():
    run = run_of()
    run.params["head.b"][END] = 50
    assert {len(text) for text in written(run)} == {1}
    assert set(written(run, prompt="ab")) == {""}  # what was given is no empty document


def test_the_length_ends_what_has_not_ended():
    run = run_of()
    run.params["head.b"][END] = -50
    assert {len(text) for text in written(run, length=9)} == {9}
    assert set(written(run, length=0)) == {""}


def test_nothing_is_drawn_once_all_have_ended():
    run = run_of()
    run.params["head.b"][END] = 3
    texts = written(run, length=10**9, samples=5)
    grown = list(sample_many(run, Request(seed=2, length=10**9), 5))
    assert len(grown) == max(map(len, texts)) + 1


@pytest.mark.parametrize("wanted", [{"stop": ("ab",)}, {"stop": ("abcdefgh",)}])
def test_what_is_held_back_for_the_stop_is_let_go_at_the_end(wanted):
    run = run_of()
    whole = written(run, samples=200)
    stopped = written(run, samples=200, **wanted)
    assert stopped == [text.partition(wanted["stop"][0])[0] for text in whole]


def test_the_same_seed_gives_the_same_texts():
    run = run_of(labels=True)
    assert written(run) == written(run) != written(run, seed=3)
    assert written(run, label="one") != written(run, label="other")


def test_filters_reach_the_draw():
    greedy = written(run_of(), filters=Filters(temperature=0))
    assert len(set(greedy)) == 1
    assert greedy == written(run_of(), seed=8, filters=Filters(top_k=1))
    assert "".join(sample(run_of(), temperature=0, length=40)) == greedy[0]


def test_a_run_of_another_task_says_what_can_be_done_with_it():
    task = Transduce(VOCABULARY, VOCABULARY, 2.0)
    run = Run.new(config(task__name="transduce"), task, Corpus("x", 1, ""))
    with pytest.raises(ConfigError, match=r"only language models can write.*charrnn predict RUN"):
        next(sample(run))
