"""Texts for labels: a label is told at every step, changes what is written, and is kept with how often it was seen."""

from __future__ import annotations

import collections
import dataclasses
import random

import numpy as np
import pytest
from interrupting import config, interrupt

from charrnn.errors import ConfigError, DataError
from charrnn.judging.gradcheck.subject import check_model, small
from charrnn.nn.cells import CELLS
from charrnn.nn.options import ModelConfig
from charrnn.resources import CORPORA
from charrnn.runs.directory import RunDirectory
from charrnn.sampling import Request, sample_many
from charrnn.tasks.generate import Generate
from charrnn.text.corpus import Library
from charrnn.text.documents import Documents
from charrnn.text.options import DataConfig
from charrnn.training.preparing import prepare
from charrnn.training.trainer import Trainer


def texts_of(count=120, longest=6):
    """Texts of the characters abc under `low`, and of xyz under `high`, twice as often."""
    draw = random.Random(0)
    labels = [draw.choice(["low", "high", "high"]) for _ in range(count)]
    texts = ["".join(draw.choices("abc" if label == "low" else "xyz", k=draw.randint(1, longest))) for label in labels]
    return Documents("pairs", count, "a sum", texts, labels)


PAIRS = texts_of()


@pytest.fixture
def learn(no_sync, tmp_path):
    """Trains a run that tells the labels apart."""

    def learn(**changes):
        changes = {"model__hidden_size": 12, "train__iterations": 150, "train__batch_size": 8, **changes}
        settings = config(task__name="generate", data__split=[0.9, 0.1, 0], **changes)
        trainer = Trainer.begin(RunDirectory(tmp_path / "run"), prepare(settings, PAIRS))
        list(trainer.records())
        trainer.close()
        return trainer.run

    return learn


def written(run, samples=60, **wanted):
    grown = sample_many(run, Request(length=30, seed=3, **wanted), samples)
    return ["".join(parts) for parts in zip(*grown, strict=True)]


def share_of(characters, texts):
    whole = "".join(texts)
    return sum(character in characters for character in whole) / len(whole)


@pytest.mark.parametrize("embedding_size", [None, 4])
def test_the_label_decides_what_is_written(learn, embedding_size):
    run = learn(model__embedding_size=embedding_size)
    assert share_of("abc", written(run, label="low")) > 0.95
    assert share_of("xyz", written(run, label="high")) > 0.95


def test_without_a_label_each_is_drawn_as_often_as_it_was_seen(learn):
    run = learn()
    seen = collections.Counter(PAIRS.labels)
    assert run.task.labels == ("high", "low")
    assert sum(run.task.counts) == 108  # of the training part
    assert run.task.counts[0] / 108 == pytest.approx(seen["high"] / 120, abs=0.05)
    texts = written(run, samples=400)
    high = sum(text[:1] in "xyz" for text in texts if text)
    assert high / len(texts) == pytest.approx(run.task.counts[0] / 108, abs=0.07)
    assert texts == written(run, samples=400)


def test_a_label_that_it_does_not_know_is_told_with_the_nearest():
    run = prepare(config(task__name="generate"), PAIRS).run
    with pytest.raises(ConfigError, match="--label 'Hihg': no text had it; the nearest is 'high'"):
        next(sample_many(run, Request(label="Hihg"), 1))


def test_a_label_that_was_held_back_is_not_one_that_was_learnt():
    run = prepare(config(task__name="generate"), PAIRS).run
    kept = run.task.labels[0]
    run.task = dataclasses.replace(run.task, counts=(3, *[0] * (len(run.task.labels) - 1)))
    with pytest.raises(
        ConfigError, match=f"no text that was learnt from had it; the nearest is '{kept}', of 1: {kept}"
    ):
        next(sample_many(run, Request(label=run.task.labels[1]), 1))


def test_a_label_for_a_run_without_labels_is_refused():
    run = prepare(config(data__documents="lines"), dataclasses.replace(PAIRS, labels=None)).run
    with pytest.raises(ConfigError, match="--label 'low': the texts of this run had no labels"):
        next(sample_many(run, Request(label="low"), 1))


def test_it_is_read_from_a_table_from_json_and_from_a_folder(tmp_path):
    (tmp_path / "table.tsv").write_text("low\tab\\nc\nhigh\txy\n")
    (tmp_path / "lines.jsonl").write_text('{"label": "low", "text": "ab\\nc"}\n{"label": "high", "text": "xy"}\n')
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "high.txt").write_text("xy\n")
    (tmp_path / "folder" / "low.txt").write_text("ab\\nc\n")
    library = Library(CORPORA, tmp_path / "cache")
    for name in ("table.tsv", "lines.jsonl", "folder"):
        read = Generate.read(library, str(tmp_path / name), DataConfig())
        assert sorted(zip(read.labels, read.texts, strict=True)) == [("high", "xy"), ("low", "ab\nc")]


def test_one_label_only_is_refused():
    with pytest.raises(DataError, match="pairs: all texts have the label 'low'"):
        prepare(config(task__name="generate"), dataclasses.replace(PAIRS, labels=["low"] * len(PAIRS)))


def test_a_label_that_was_never_seen_is_named_where_texts_are_judged():
    prepared = prepare(config(task__name="generate"), PAIRS)
    with pytest.raises(DataError, match="other: the model never saw the label 'lo'; the nearest is 'low'"):
        prepared.run.task.part(Documents("other", 1, "", ["abc"], ["lo"]), DataConfig(), None)


def test_labels_of_a_file_for_validation_are_known_and_never_drawn():
    given = Documents("other", 1, "", ["abc"], ["middle"])
    run = prepare(config(task__name="generate"), dataclasses.replace(PAIRS, validation=given)).run
    assert run.task.labels == ("high", "low", "middle")
    assert run.task.counts[2] == 0
    assert 2 not in run.task.told(None, 1000, np.random.default_rng(0))


def test_a_label_is_worth_something(learn):
    """Told the wrong labels, the same texts are less likely."""
    run = learn()
    swapped = [{"low": "high", "high": "low"}[label] for label in PAIRS.labels]
    right, wrong = (
        run.task.report(run.model, run.weights, run.task.part(part, DataConfig(), None))["nats_per_char"]
        for part in (PAIRS, dataclasses.replace(PAIRS, labels=swapped))
    )
    assert right < 1.4 < 3 < wrong


@pytest.mark.parametrize("longest", [4, 40], ids=["short", "long"])
def test_a_run_interrupted_and_resumed_is_the_run_that_was_not(no_sync, tmp_path, longest):
    changes = {"task__name": "generate", "data__split": [0.8, 0.2, 0]}
    assert interrupt(tmp_path, [1, 3, 13, 29], texts_of(40, longest), **changes) == 4


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize(("oracle", "most"), [("finite-difference", 1e-6), ("complex-step", 1e-11)])
def test_its_gradients_are_exact(cell, oracle, most):
    model, draw = Generate.probe(small(ModelConfig(cell=cell, num_layers=2)))
    rows = check_model(model, oracle, draw=draw)
    assert all(row.ok for row in rows)
    assert max(row.error for row in rows) < most
    batch = draw(np.random.default_rng(0))
    assert len(set(batch.labels.tolist())) > 1
    assert min(batch.lengths) < max(batch.lengths) == len(batch.x)


@pytest.mark.parametrize("more", [{"embedding_size": 3}, {"initial_state": "learned"}, {"layer_norm": True}])
def test_so_are_those_of_other_networks(more):
    model, draw = Generate.probe(small(ModelConfig(**more)))
    assert max(row.error for row in check_model(model, "complex-step", draw=draw)) < 1e-11


@pytest.mark.parametrize("embedding_size", [None, 4])
def test_labels_keep_their_weights_where_there_are_others(learn, embedding_size):
    changes = {"model__embedding_size": embedding_size, "model__hidden_size": 12}
    old = learn(**changes)
    labels = [{"low": "low", "high": "new"}[label] for label in PAIRS.labels]
    settings = config(task__name="generate", **changes)
    new = prepare(settings, dataclasses.replace(PAIRS, labels=labels), old).run
    ours, theirs = new.params["layers.0.W"], old.params["layers.0.W"]
    np.testing.assert_array_equal(ours[:-2], theirs[:-2])  # of the state, and what is read
    np.testing.assert_array_equal(ours[-2], theirs[-1])  # "low" is the first here
    assert (ours[-1] != theirs[-2]).any()


@pytest.mark.parametrize("embedding_size", [None, 4])
@pytest.mark.parametrize("forward", [True, False], ids=["from", "to"])
def test_a_model_of_documents_shares_all_but_the_labels(embedding_size, forward):
    changes = {"model__embedding_size": embedding_size}
    without = config(data__documents="lines", **changes), dataclasses.replace(PAIRS, labels=None)
    told = config(task__name="generate", **changes, train__seed=5), PAIRS
    old = prepare(*(without if forward else told)).run
    prepared = prepare(*(told if forward else without), old)
    (note,) = prepared.notes
    assert note == "taken over: " + ", ".join(prepared.run.params)
    for name, array in prepared.run.params.items():
        n = min(len(array), len(old.params[name]))
        assert n == len(array) or name == "layers.0.W"
        np.testing.assert_array_equal(array[:n], old.params[name][:n])


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("labels", ["low", "high"]),
        ("labels", ["low"]),
        ("labels", [1, 2]),
        ("counts", [1]),
        ("counts", [0, 0]),
        ("counts", [-1, 2]),
        ("counts", [0.5, 2]),
        ("counts", None),
    ],
)
def test_a_checkpoint_with_other_labels_is_damaged(key, value):
    meta = prepare(config(task__name="generate"), PAIRS).run.task.to_meta()
    assert Generate.from_meta(meta, DataConfig()).to_meta() == meta
    with pytest.raises(ValueError, match=r"labels|label was seen"):
        Generate.from_meta(meta | {key: value}, DataConfig())
