"""The language model of documents: what is counted, carried and kept, and that it ends where documents end."""

from __future__ import annotations

import dataclasses
import itertools
import math
import random

import numpy as np
import pytest
from crashing import metrics_of, same_end
from interrupting import TEXT, begin, config, interrupt

from charrnn import cores, tasks
from charrnn.errors import ConfigError, DataError
from charrnn.nn import head
from charrnn.runs import checkpoint as checkpoints
from charrnn.tasks.documents import WINDOW, DocumentModel, nats_of_documents
from charrnn.tasks.language_model import LanguageModel
from charrnn.text.documents import Documents
from charrnn.text.options import DataConfig
from charrnn.training.preparing import prepare

LINES = DataConfig(documents="lines")


def documents(*lengths, seed=0, **more):
    """Documents of so many characters each, of the alphabet a to e, no two alike."""
    draw = random.Random(seed)
    texts = ["".join(draw.choices("abcde", k=length)) for length in lengths]
    return Documents("names", sum(lengths), "a sum", texts, **more)


SHORT = documents(*[n % 4 + 2 for n in range(60)])
"""None of them is longer than a window of 5 steps with its end, but some."""
LONG = documents(*[7 * n % 40 + 2 for n in range(40)])
"""Most of them take several windows."""


def model_of(examples, **changes):
    """The task and the network of these documents, and random numbers for it."""
    run = prepare(config(data__documents="lines", model__hidden_size=6, **changes), examples).run
    rng = np.random.default_rng(1)
    return run.task, run.model, {name: rng.normal(0, 0.5, shape) for name, shape in run.model.shapes.items()}


def one_pass(task, model, params, text):
    """The nats of every character of a document and of its end, from one pass over it alone."""
    ids = [task.end, *task.vocabulary.encode(text), task.end]
    x, y = np.array(ids[:-1])[:, None], np.array(ids[1:])[:, None]
    logits, _ = model.forward(params, x, model.zero_state(1, np.float64), np.ones(1, bool))
    return head.nats(logits, y)[:, 0]


# --- which task ---


def test_the_task_is_chosen_by_how_the_data_are_read():
    assert tasks.find("language_model") is LanguageModel
    assert tasks.find("language_model", DataConfig()) is LanguageModel
    assert tasks.find("language_model", LINES) is DocumentModel


@pytest.mark.parametrize("name", ["classify", "generate", "tag", "transduce"])
def test_documents_are_for_language_models(name):
    with pytest.raises(ConfigError, match=f"data.documents: the task {name} does not read it; leave it out"):
        tasks.find(name, LINES)


@pytest.mark.parametrize(
    ("name", "key"),
    [("language_model", "validation"), ("language_model", "columns"), ("classify", "split_by"), ("tag", "documents")],
)
def test_a_data_key_that_the_task_does_not_read_is_refused(name, key):
    value = {"split_by": "columns", "columns": (2, 1)}.get(key, "lines")
    with pytest.raises(ConfigError, match=rf"data\.{key}: the task {name} does not read it"):
        tasks.find(name, dataclasses.replace(DataConfig(), **{key: value}))


# --- what is judged ---


@pytest.mark.parametrize("lengths", [[3, 1, 2], [WINDOW - 1, WINDOW], [3 * WINDOW + 5, 2, WINDOW + 1, 2 * WINDOW, 1]])
def test_the_loss_is_that_of_one_pass_over_each_document(lengths):
    examples = documents(*lengths, seed=3)
    task, model, params = model_of(examples, data__split=[1, 0, 0], model__initial_state="learned")
    part = task.part(examples, LINES, None)
    expected = np.concatenate([one_pass(task, model, params, text) for text in examples.texts])
    found = np.concatenate(list(nats_of_documents(model, params, part)))
    np.testing.assert_allclose(np.sort(found), np.sort(expected), rtol=1e-9)
    assert len(part) == len(expected) == sum(lengths) + len(lengths)
    assert task.judge(model, params, part, lambda: False)["nats"] == pytest.approx(expected.mean(), rel=1e-9)


@pytest.mark.parametrize("lengths", [[3, 1, 2], [3 * WINDOW + 5, 2, WINDOW + 1, 2 * WINDOW, 1]])
def test_a_passage_has_the_loss_of_each_character_of_its_document(lengths):
    examples = documents(*lengths, seed=3)
    task, model, params = model_of(examples, data__split=[1, 0, 0], model__initial_state="learned")
    part = task.part(examples, LINES, None)
    passages = list(task.passages(model, params, part))
    assert [passage.text for passage in passages] == examples.texts
    for passage in passages:
        np.testing.assert_allclose(passage.guesses.nats, one_pass(task, model, params, passage.text), rtol=1e-9)
        likelier = passage.guesses.best_nats <= passage.guesses.nats + 1e-12
        assert likelier.all()
        right = np.isclose(passage.guesses.best_nats, passage.guesses.nats)
        ids = np.array([*task.vocabulary.encode(passage.text), task.end])
        np.testing.assert_array_equal(passage.guesses.best[right], ids[right])
    lines = list(task.lines(model, params, part))
    assert [line.nats for line in lines] == [math.fsum(passage.guesses.nats) for passage in passages]
    assert [line.chars for line in lines] == [length + 1 for length in lengths]


def test_more_long_documents_than_stand_side_by_side_are_all_judged():
    examples = documents(*[WINDOW + n for n in range(70)])
    task, model, params = model_of(examples, data__split=[1, 0, 0])
    expected = np.concatenate([one_pass(task, model, params, text) for text in examples.texts])
    found = np.concatenate(list(nats_of_documents(model, params, task.part(examples, LINES, None))))
    np.testing.assert_allclose(np.sort(found), np.sort(expected), rtol=1e-9)


@pytest.mark.parametrize(
    ("between", "encoding", "size"),
    [("lines", "utf-8", 9), ("lines", "utf-16-le", 14), ("files", "utf-8", 7), ("%%\n", "utf-8", 13)],
)
def test_an_end_is_a_character_and_as_many_bytes_as_in_a_file(between, encoding, size):
    examples = Documents("names", 1, "a sum", ["abé", "öa"])
    task, model, params = model_of(examples, data__split=[1, 0, 0])
    data = DataConfig(documents=between, encoding=encoding)
    report = task.report(model, params, task.part(examples, data, None))
    assert list(report) == ["nats_per_char", "bits_per_char", "bits_per_byte", "perplexity", "chars", "bytes"]
    assert (report["chars"], report["bytes"]) == (7, size)
    assert report["bits_per_char"] == pytest.approx(report["nats_per_char"] / math.log(2))
    assert report["bits_per_byte"] == pytest.approx(report["bits_per_char"] * 7 / size)


def test_an_evaluation_reads_about_as_much_as_it_is_told_to():
    prepared = prepare(config(data__documents="lines", data__split=[0.5, 0.5, 0], train__eval_chars=40), LONG)
    longest = max(map(len, LONG.texts)) + 1
    assert 40 - longest < len(prepared.split.validation) <= 40


def test_a_character_that_was_never_seen_is_named():
    task, *_ = model_of(SHORT)
    with pytest.raises(DataError, match="other: the model never saw 'z'"):
        task.part(Documents("other", 1, "", ["abz"]), LINES, None)


# --- parts ---


def test_equal_documents_are_never_in_two_parts():
    texts = [text for text in SHORT.texts[:30] for _ in range(3)]
    parts = DocumentModel.parts(dataclasses.replace(SHORT, texts=texts), DataConfig(split=(0.5, 0.25, 0.25)), 1)
    train, validation, test = (set(part.texts) for part in parts.values())
    assert not train & validation | train & test | validation & test
    assert train | validation | test == set(texts)


def test_a_part_with_a_file_of_its_own_takes_nothing_from_the_others():
    given = documents(3, 4, seed=9)
    examples = dataclasses.replace(SHORT, validation=given)
    parts = DocumentModel.parts(examples, DataConfig(split=(0.5, 0.5, 0)), 1)
    assert parts["validation"] is given
    assert sorted(parts["train"].texts) == sorted(SHORT.texts)
    assert parts["test"] is None


def test_the_characters_are_those_of_all_parts():
    given = Documents("other", 1, "", ["xyz"])
    task = DocumentModel.of(dataclasses.replace(SHORT, validation=given), LINES, None)
    assert task.vocabulary.symbols == "abcdexyz"


def test_too_few_documents_for_a_part_is_an_error():
    with pytest.raises(DataError, match="names has too few items for a validation part: 1"):
        prepare(config(data__documents="lines", data__split=[0.5, 0.5, 0]), documents(30))


def test_too_few_different_documents_are_counted_as_such():
    examples = Documents("names", 1, "", ["a", "b"] * 20)
    with pytest.raises(DataError, match="too few items for a test part: 40, of which 2 differ; add some"):
        prepare(config(data__documents="lines", data__split=[0.4, 0.3, 0.3]), examples)


# --- training ---


@pytest.mark.parametrize("examples", [SHORT, LONG], ids=["short", "long"])
@pytest.mark.parametrize("noise", [{}, {"model__dropout": 0.3, "model__initial_state": "random"}], ids=["", "noisy"])
def test_a_run_interrupted_and_resumed_is_the_run_that_was_not(no_sync, tmp_path, examples, noise):
    changes = {"data__documents": "lines", "data__split": [0.8, 0.2, 0], **noise}
    assert interrupt(tmp_path, [1, 3, 6, 13, 20, 29], examples, **changes) == 6


def test_the_state_is_carried_to_the_next_window_of_a_document(no_sync, tmp_path):
    """The loss in training of a long document's second window is that of one pass over both."""
    examples = documents(9, 9)
    frozen = {"optim__learning_rate": 1e-30, "optim__weight_decay": 0, "train__dtype": "float64"}
    changes = {"data__documents": "lines", "data__split": [1, 0, 0], "train__iterations": 3, **frozen}
    trainer = begin(tmp_path / "run", examples, **changes)
    task, model, params = trainer.run.task, trainer.run.model, dict(trainer.run.params)
    expected = np.array([one_pass(task, model, params, text) for text in examples.texts]).mean(axis=0)
    losses = [trainer.run.losses[-1] for _ in itertools.islice(trainer.records(), 2)]
    trainer.close()
    assert expected[:5].mean() != pytest.approx(expected[5:].mean(), rel=1e-3)
    np.testing.assert_allclose(losses, [expected[:5].mean(), expected[5:].mean()], rtol=1e-9)


@pytest.mark.skipif(cores.os.name != "posix", reason="one process alone where descriptors are not inherited")
@pytest.mark.parametrize("examples", [SHORT, LONG], ids=["short", "long"])
def test_two_processes_learn_what_one_does(no_sync, tmp_path, examples):
    changes = {"data__documents": "lines", "data__split": [0.8, 0.2, 0], "train__dtype": "float64"}
    changes |= {"train__batch_size": 4, "train__iterations": 12}
    for name, layout in (("one", "1x1"), ("two", "2x1"), ("again", "2x1")):
        trainer = begin(tmp_path / name, examples, **(changes | {"train__layout": layout}))
        assert str(trainer.plan) == ("2 processes" if layout == "2x1" else "1 process")
        list(trainer.records())
        trainer.close()
    assert same_end(tmp_path / "two", tmp_path / "again")
    alone, shared = ([line["train_nats"] for line in metrics_of(tmp_path / name)] for name in ("one", "two"))
    np.testing.assert_allclose(shared, alone, rtol=1e-9)


def test_a_checkpoint_knows_what_it_is_of(no_sync, tmp_path):
    with_documents = begin(tmp_path / "run", SHORT, data__documents="lines", data__split=[0.8, 0.2, 0])
    list(with_documents.records())
    with_documents.close()
    run = checkpoints.load(tmp_path / "run")
    assert run.task == with_documents.run.task
    assert run.model.vocab_size == len(run.task.vocabulary) + 1 == run.task.end + 1


def test_a_batch_that_diverged_is_told_with_its_documents():
    prepared = prepare(config(data__documents="lines", data__split=[1, 0, 0]), LONG)
    run, seen = prepared.run, []
    for iteration in range(len(prepared.split.train)):
        state = run.model.zero_state(2, np.float32)
        rows = run.task.explain(run.model, run.params, prepared.split, iteration, state)
        assert all(math.isfinite(row["nats"]) for row in rows)
        seen += [row["text"] for row in rows]
    assert sorted("".join(seen)) == sorted("".join(LONG.texts))


def test_it_is_told_with_the_loss_that_it_has_in_its_place():
    examples = documents(9, 9)
    prepared = prepare(config(data__documents="lines", data__split=[1, 0, 0], train__dtype="float64"), examples)
    run, train, state = prepared.run, prepared.split.train, prepared.run.model.zero_state(2, np.float64)
    _, state = run.model.loss(run.params, train.batch(0), state)
    loss, _ = run.model.loss(run.params, train.batch(1), state)
    rows = run.task.explain(run.model, run.params, prepared.split, 1, state)
    assert [row["offset"] for row in rows] == [5, 5]
    assert np.mean([row["nats"] for row in rows]) == pytest.approx(loss, rel=1e-9)


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"train__gradient": "rtrl"}, "rtrl is for one text"),
        ({"model__bidirectional": True}, "model.bidirectional"),
    ],
)
def test_what_cannot_learn_from_documents_is_refused(changes, wrong):
    with pytest.raises(ConfigError, match=wrong):
        prepare(config(data__documents="lines", **changes), SHORT)


# --- beginning with other weights ---


@pytest.mark.parametrize("embedding_size", [None, 4])
def test_a_model_of_one_text_hands_on_all_that_it_knows_of_characters(embedding_size):
    changes = {"model__embedding_size": embedding_size}
    old = prepare(config(**changes), TEXT).run
    examples = Documents("names", 1, "a sum", ["foxes"] * 9 + ["a fox", "the ox"])
    new = prepare(config(**changes, data__documents="lines", data__split=[1, 0, 0], train__seed=5), examples, old)
    assert new.notes[0] == "characters new to the weights: 'aht'"
    ours, theirs = new.run.task.vocabulary.symbols, old.task.vocabulary.symbols
    name, first = ("embedding", 0) if embedding_size else ("layers.0.W", 3)
    for c in set("foxes ") & set(theirs):
        i, j = ours.index(c), theirs.index(c)
        np.testing.assert_array_equal(new.run.params[name][first + i], old.params[name][first + j])
        np.testing.assert_array_equal(new.run.params["head.W"][:, i], old.params["head.W"][:, j])
    if embedding_size:
        np.testing.assert_array_equal(new.run.params["layers.0.W"], old.params["layers.0.W"])
